// The same interface as far as tests use it; Koa 2 has no types of its own either.
declare module 'koa2' {
  export { default } from 'koa'
}
