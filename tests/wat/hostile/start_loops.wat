;; Loops for ever in its start function.
(module $start_loops
  (memory (export "memory") 1)
;;@include allocator
  (func $start (loop $again (br $again)))
  (start $start)
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16)))
