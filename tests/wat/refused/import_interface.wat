;; An interface that this host does not know.
;; expect: imports sentinel:gateway/filesystem@0.1.0 open, which this host does not offer
(module
  (import "sentinel:gateway/filesystem@0.1.0" "open" (func (param i32 i32)))
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
