;; A post-return with a parameter, for a hook that returns nothing.
;; expect: exports cabi_post_sentinel:gateway/completion-handler@0.1.0#on-complete as func (i32), expected func ()
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32))
  (func (export "cabi_post_sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32))
)
