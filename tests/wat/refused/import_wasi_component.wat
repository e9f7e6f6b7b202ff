;; An import of a component's WASI.
;; expect: imports wasi:cli/stdout@0.2.0 get-stdout, which this host does not offer (there is no WASI here)
(module
  (import "wasi:cli/stdout@0.2.0" "get-stdout" (func (result i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
