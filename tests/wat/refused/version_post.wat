;; A post-return of a newer version.
;; expect: cabi_post_sentinel:gateway/request-handler@0.1.2#on-request needs sentinel:gateway 0.1.2; this host offers 0.1.0
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
  (func (export "cabi_post_sentinel:gateway/request-handler@0.1.2#on-request") (param i32))
)
