;; A shared memory.
;; expect: threads must be enabled for shared memories
(module
  (memory (export "memory") 1 2 shared)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (i32.const 4096))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16))
)
