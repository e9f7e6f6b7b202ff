;; A post-return of configure of the wrong type.
;; expect: exports cabi_post_sentinel:gateway/lifecycle@0.1.0#configure as func (i64), expected func (i32)
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
  (func (export "sentinel:gateway/lifecycle@0.1.0#configure") (param i32 i32) (result i32) (i32.const 16))
  (func (export "cabi_post_sentinel:gateway/lifecycle@0.1.0#configure") (param i64))
)
