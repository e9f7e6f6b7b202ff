;; Loops for ever in configure.
(module $configure_loops
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/lifecycle@0.1.0#configure") (param i32 i32) (result i32)
    (loop $again (br $again)) unreachable)
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32) (i32.const 16)))
