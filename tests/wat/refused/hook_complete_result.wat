;; An on-complete that returns something.
;; expect: exports sentinel:gateway/completion-handler@0.1.0#on-complete as func (i32 i32 i32 i32) -> i32, expected func (i32 i32 i32 i32)
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32) (result i32) (i32.const 16))
)
