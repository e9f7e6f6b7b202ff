;; Its cabi_realloc returns memory that ends one byte behind the last page.
(module $realloc_outside
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.sub (i32.const 65537) (local.get 3)))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16)))
