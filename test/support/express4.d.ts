// The same interface as far as tests use it; @types/express@4 would be a second `Express` namespace.
declare module 'express4' {
  export { default } from 'express'
}
