;; As a guest of CPython, it frees every list that it gets, and traps for one that it has not
;; allocated. Its on-complete has a post-return, which logs what on-complete got.
(module $frees_all
  (import "sentinel:gateway/log@0.1.0" "write" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 4096))
  (global $start (mut i32) (i32.const 0))
  (global $length (mut i32) (i32.const 0))
  ;; Before each block stands a word that says that it is one.
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $start i32)
    (i32.store (global.get $next) (i32.const 0x5eed))
    (local.set $start (i32.add (global.get $next) (i32.const 4)))
    (global.set $next
      (i32.and (i32.add (local.get $start) (i32.add (local.get 3) (i32.const 3))) (i32.const -4)))
    (local.get $start))
  (func $free (param $start i32)
    (if (i32.ne (i32.load (i32.sub (local.get $start) (i32.const 4))) (i32.const 0x5eed)) (then unreachable)))
  (func (export "sentinel:gateway/completion-handler@0.1.0#on-complete")
    (param $summary i32) (param $summary-length i32) (param $context i32) (param $length i32)
    (call $free (local.get $summary))
    (call $free (local.get $context))
    (global.set $start (local.get $summary))
    (global.set $length (local.get $summary-length)))
  (func (export "cabi_post_sentinel:gateway/completion-handler@0.1.0#on-complete")
    (call $log (i32.const 2) (global.get $start) (global.get $length))))
