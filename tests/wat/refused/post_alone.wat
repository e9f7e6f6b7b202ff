;; A post-return for a hook that is not there.
;; expect: exports cabi_post_sentinel:gateway/response-handler@0.1.0#on-response, which
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
  (func (export "cabi_post_sentinel:gateway/response-handler@0.1.0#on-response") (param i32))
)
