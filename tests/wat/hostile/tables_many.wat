;; Declares three tables.
(module $tables_many
  (memory (export "memory") 1)
  (table 1 funcref)
  (table 1 funcref)
  (table 1 funcref)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16)))
