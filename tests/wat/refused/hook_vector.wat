;; A hook that takes vectors, a type that the C API's plain accessor aborts on.
;; expect: exports sentinel:gateway/request-handler@0.1.0#on-request as func (v128 v128) -> i32, expected func (i32 i32) -> i32
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param v128 v128) (result i32) (i32.const 16))
)
