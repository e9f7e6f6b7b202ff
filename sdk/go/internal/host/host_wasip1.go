//go:build wasip1

// Package host calls the functions of the gateway, or natively what stands in for them.
package host

import (
	"os"
	"unsafe"
)

//go:wasmimport sentinel:gateway/log@0.1.0 write
func importLog(level uint32, text unsafe.Pointer, size uint32)

//go:wasmimport sentinel:gateway/clock@0.1.0 wall
func importWall() uint64

//go:wasmimport sentinel:gateway/clock@0.1.0 monotonic
func importMonotonic() uint64

//go:wasmimport sentinel:gateway/random@0.1.0 bytes
func importRandom(count uint32, area unsafe.Pointer)

//go:wasmimport sentinel:gateway/random@0.1.0 number
func importNumber() uint64

//go:wasmimport sentinel:gateway/metrics@0.1.0 add
func importAdd(name unsafe.Pointer, size uint32, labels unsafe.Pointer, count uint32, value uint64)

//go:wasmimport sentinel:gateway/metrics@0.1.0 observe
func importObserve(name unsafe.Pointer, size uint32, labels unsafe.Pointer, count uint32, value float64)

//go:wasmimport sentinel:gateway/metrics@0.1.0 describe
func importDescribe(
	name unsafe.Pointer, size uint32, kind uint32, help unsafe.Pointer, helpSize uint32, unit unsafe.Pointer, unitSize uint32,
	bounds unsafe.Pointer, count uint32,
)

//go:wasmimport sentinel:gateway/kv@0.1.0 get
func importGet(key unsafe.Pointer, size uint32, area unsafe.Pointer)

//go:wasmimport sentinel:gateway/kv@0.1.0 set
func importSet(key unsafe.Pointer, size uint32, value unsafe.Pointer, valueSize uint32, ttl uint64, area unsafe.Pointer)

//go:wasmimport sentinel:gateway/kv@0.1.0 delete
func importDelete(key unsafe.Pointer, size uint32, area unsafe.Pointer)

//go:wasmimport sentinel:gateway/kv@0.1.0 add
func importCount(key unsafe.Pointer, size uint32, delta int64, ttl uint64, area unsafe.Pointer)

//go:wasmimport sentinel:gateway/http-client@0.1.0 send
func importSend(request unsafe.Pointer, size uint32, area unsafe.Pointer)

// What the host has been given and has not handed over yet: the collector must not take it.
var lent = map[uint32][]byte{}

// Realloc is what the gateway calls for memory.
//
//go:wasmexport cabi_realloc
func Realloc(old, oldSize, align, size uint32) uint32 {
	if size == 0 {
		return align
	}
	block := make([]byte, size)
	at := uint32(uintptr(unsafe.Pointer(unsafe.SliceData(block))))
	lent[at] = block
	return at
}

// Taken is the memory at an address that the gateway has filled; from then on it is an ordinary
// slice.
func Taken(at, size uint32) []byte {
	if size == 0 {
		return nil
	}
	block := lent[at]
	delete(lent, at)
	return block[:size]
}

var area [3]uint32
var returned []byte

// Area is where the host finds a list; the bytes live until the next call.
func Area(data []byte) uint32 {
	returned = data
	area = [3]uint32{uint32(uintptr(pointer(data))), uint32(len(data))}
	return uint32(uintptr(unsafe.Pointer(&area)))
}

// OutcomeArea is where the host finds what came of configure; nil is success.
func OutcomeArea(message []byte) uint32 {
	returned = message
	area = [3]uint32{0, uint32(uintptr(pointer(message))), uint32(len(message))}
	if message != nil {
		area[0] = 1
	}
	return uint32(uintptr(unsafe.Pointer(&area)))
}

// End ends the call; the instance is not used again.
func End() {
	os.Exit(2)
}

func pointer(data []byte) unsafe.Pointer { return unsafe.Pointer(unsafe.SliceData(data)) }

func text(value string) unsafe.Pointer { return unsafe.Pointer(unsafe.StringData(value)) }

// Log writes a line.
func Log(level uint32, line string) { importLog(level, text(line), uint32(len(line))) }

// Wall is nanoseconds since 1970 in UTC.
func Wall() uint64 { return importWall() }

// Monotonic is nanoseconds since some moment.
func Monotonic() uint64 { return importMonotonic() }

// Random is so many random bytes.
func Random(count uint32) []byte {
	var area [2]uint32
	importRandom(count, unsafe.Pointer(&area))
	return Taken(area[0], area[1])
}

// Number is a random number.
func Number() uint64 { return importNumber() }

// Label is as the canonical ABI has a tuple of two strings in memory.
type Label struct {
	name      uint32
	nameSize  uint32
	value     uint32
	valueSize uint32
}

func labelled(labels [][2]string) []Label {
	made := make([]Label, len(labels))
	for i, label := range labels {
		made[i] = Label{
			uint32(uintptr(text(label[0]))), uint32(len(label[0])), uint32(uintptr(text(label[1]))), uint32(len(label[1])),
		}
	}
	return made
}

// Add counts.
func Add(name string, labels [][2]string, value uint64) {
	made := labelled(labels)
	importAdd(text(name), uint32(len(name)), unsafe.Pointer(unsafe.SliceData(made)), uint32(len(made)), value)
}

// Observe puts a value into a histogram.
func Observe(name string, labels [][2]string, value float64) {
	made := labelled(labels)
	importObserve(text(name), uint32(len(name)), unsafe.Pointer(unsafe.SliceData(made)), uint32(len(made)), value)
}

// Describe says what a metric is.
func Describe(name string, kind uint32, help, unit string, bounds []float64) {
	importDescribe(
		text(name), uint32(len(name)), kind, text(help), uint32(len(help)), text(unit), uint32(len(unit)),
		unsafe.Pointer(unsafe.SliceData(bounds)), uint32(len(bounds)),
	)
}

// Get reads a key: the value, whether there is one, and an error's number, -1 for none.
func Get(key string) ([]byte, bool, int) {
	var area [4]uint32
	importGet(text(key), uint32(len(key)), unsafe.Pointer(&area))
	if area[0]&0xff != 0 {
		return nil, false, int(area[1] & 0xff)
	}
	if area[1]&0xff == 0 {
		return nil, false, -1
	}
	return Taken(area[2], area[3]), true, -1
}

// Set writes a key; an error's number, -1 for none.
func Set(key string, value []byte, ttl uint64) int {
	var area [2]uint8
	importSet(text(key), uint32(len(key)), pointer(value), uint32(len(value)), ttl, unsafe.Pointer(&area))
	if area[0] != 0 {
		return int(area[1])
	}
	return -1
}

// Delete removes a key: whether there was one, and an error's number.
func Delete(key string) (bool, int) {
	var area [2]uint8
	importDelete(text(key), uint32(len(key)), unsafe.Pointer(&area))
	if area[0] != 0 {
		return false, int(area[1])
	}
	return area[1] != 0, -1
}

// Count adds to a key: the sum, and an error's number.
func Count(key string, delta int64, ttl uint64) (int64, int) {
	var area [2]int64
	importCount(text(key), uint32(len(key)), delta, ttl, unsafe.Pointer(&area))
	if area[0]&0xff != 0 {
		return 0, int(area[1] & 0xff)
	}
	return area[1], -1
}

// Send asks an HTTP service: the answer, and an error's number.
func Send(request []byte) ([]byte, int) {
	var area [3]uint32
	importSend(pointer(request), uint32(len(request)), unsafe.Pointer(&area))
	if area[0]&0xff != 0 {
		return nil, int(area[1] & 0xff)
	}
	return Taken(area[1], area[2]), -1
}
