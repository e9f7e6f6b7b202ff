;; A memory that the host should bring.
;; expect: imports env memory, which this host does not offer
(module
  (import "env" "memory" (memory 1))
  (export "memory" (memory 0))
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
