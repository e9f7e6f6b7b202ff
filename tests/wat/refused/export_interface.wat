;; An interface that this host does not know.
;; expect: exports sentinel:gateway/telemetry@0.1.0#on-tick, which is not a hook of sentinel:gateway 0.1.0
(module
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
  (func (export "sentinel:gateway/telemetry@0.1.0#on-tick"))
)
