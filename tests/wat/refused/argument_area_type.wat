;; A sentinel_argument_area that tells an address and no length.
;; expect: exports sentinel_argument_area as func () -> i32, expected func () -> i64
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
  (func (export "sentinel_argument_area") (result i32) (i32.const 1024))
)
