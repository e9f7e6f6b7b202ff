;; Declares 4 GiB of memory.
(module $memory_4gib
  (memory (export "memory") 65536)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16)))
