;; Loops for ever in its handler.
(module $loop_always
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param i32 i32) (result i32)
    (loop $again (br $again))
    (unreachable)))
