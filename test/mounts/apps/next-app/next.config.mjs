export default { compress: process.env.COMPRESS === '1' }
