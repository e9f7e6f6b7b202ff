;; Loops for ever in on-complete.
(module $complete_loops
  (memory (export "memory") 1)
;;@include allocator
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete") (param i32 i32 i32 i32)
    (loop $again (br $again))))
