;; log.write with a vector, a type that the C API's plain accessor aborts on.
;; expect: imports sentinel:gateway/log@0.1.0 write as func (v128), expected func (i32 i32 i32)
(module
  (import "sentinel:gateway/log@0.1.0" "write" (func (param v128)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
