;; Nothing but configure.
;; expect: exports no hook beside configure
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/lifecycle@0.1.0#configure") (param i32 i32) (result i32) (i32.const 16))
)
