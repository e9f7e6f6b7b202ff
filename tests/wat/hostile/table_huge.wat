;; Declares a table of 100 million entries.
(module $table_huge
  (memory (export "memory") 1)
  (table 100000000 funcref)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16)))
