;; A chunk hook without the flag.
;; expect: exports sentinel:gateway/request-body-handler@0.1.0#on-request-chunk as func (i32 i32 i32 i32) -> i32, expected func (i32 i32 i32 i32 i32) -> i32
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
  (func (export "sentinel:gateway/request-body-handler@0.1.0#on-request-chunk") (param i32 i32 i32 i32) (result i32) (i32.const 16))
)
