;; Grows its memory in every guest call, and answers with the record from behind the newest page:
;; bases move.
(module $grows
  (memory (export "memory") 1)
  (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
    (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
  (func (export "sentinel:gateway/request-handler@0.1.0#on-request") (param $start i32) (param $length i32) (result i32)
    (local $copy i32)
    (local.set $copy (i32.mul (memory.grow (i32.const 1)) (i32.const 65536)))
    (memory.copy (local.get $copy) (local.get $start) (local.get $length))
    (i32.store (i32.const 16) (local.get $copy))
    (i32.store (i32.const 20) (local.get $length))
    (i32.const 16)))
