;; Loops for ever in _initialize.
(module $initialize_loops
  (memory (export "memory") 1)
;;@include allocator
  (func (export "_initialize") (loop $again (br $again)))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16)))
