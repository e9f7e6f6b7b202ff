// Package wire reads and writes MessagePack, as far as the gateway's contract uses it.
package wire

import (
	"encoding/binary"
	"math"
	"unsafe"
)

// Kind is what a value is.
type Kind int

// The kinds of values. Nothing is an extension type, a byte that begins no value, or the end of the
// bytes.
const (
	Nil Kind = iota
	Bool
	Int
	Float
	String
	Binary
	List
	Map
	Nothing
)

// Reader reads value after value, without copies: strings are views of the bytes, which nobody may
// change. What does not fit sets Failed, which stays; every later read then returns nothing.
type Reader struct {
	rest   []byte
	Failed bool
}

// NewReader reads these bytes.
func NewReader(data []byte) Reader { return Reader{rest: data} }

// Done tells whether all bytes have been read.
func (r *Reader) Done() bool { return len(r.rest) == 0 && !r.Failed }

func (r *Reader) fail() {
	r.Failed, r.rest = true, nil
}

func (r *Reader) head() byte {
	if len(r.rest) == 0 {
		return 0xc1
	}
	return r.rest[0]
}

// number reads a big-endian number behind the first byte.
func (r *Reader) number(width int) uint64 {
	if len(r.rest) < 1+width {
		r.fail()
		return 0
	}
	data := r.rest[1 : 1+width]
	r.rest = r.rest[1+width:]
	switch width {
	case 0:
		return 0
	case 1:
		return uint64(data[0])
	case 2:
		return uint64(binary.BigEndian.Uint16(data))
	case 4:
		return uint64(binary.BigEndian.Uint32(data))
	}
	return binary.BigEndian.Uint64(data)
}

func (r *Reader) body(size uint64) []byte {
	if r.Failed || size > uint64(len(r.rest)) {
		r.fail()
		return nil
	}
	data := r.rest[:size:size]
	r.rest = r.rest[size:]
	return data
}

// Peek tells what the next value is, without reading it.
func (r *Reader) Peek() Kind {
	switch head := r.head(); {
	case head < 0x80, head >= 0xe0, head >= 0xcc && head <= 0xd3:
		return Int
	case head < 0x90, head == 0xde, head == 0xdf:
		return Map
	case head < 0xa0, head == 0xdc, head == 0xdd:
		return List
	case head < 0xc0, head >= 0xd9 && head <= 0xdb:
		return String
	case head == 0xc0:
		return Nil
	case head == 0xc2, head == 0xc3:
		return Bool
	case head >= 0xc4 && head <= 0xc6:
		return Binary
	case head == 0xca, head == 0xcb:
		return Float
	}
	return Nothing
}

// Nil reads nil if that is next, and tells whether it was.
func (r *Reader) Nil() bool {
	if r.head() != 0xc0 {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// Bool reads a boolean.
func (r *Reader) Bool() bool {
	head := r.head()
	if head != 0xc2 && head != 0xc3 {
		r.fail()
		return false
	}
	r.rest = r.rest[1:]
	return head == 0xc3
}

// integer reads the bits of an integer, and whether it is below zero.
func (r *Reader) integer() (uint64, bool) {
	switch head := r.head(); {
	case head < 0x80:
		r.number(0)
		return uint64(head), false
	case head >= 0xe0:
		r.number(0)
		return uint64(int64(int8(head))), true
	case head >= 0xcc && head <= 0xcf:
		return r.number(1 << (head - 0xcc)), false
	case head >= 0xd0 && head <= 0xd3:
		width := 1 << (head - 0xd0)
		value := r.number(width)
		shift := 64 - 8*width
		signed := int64(value<<shift) >> shift
		return uint64(signed), signed < 0
	}
	r.fail()
	return 0, false
}

// Uint reads an integer of 0 to 2^64 - 1.
func (r *Reader) Uint() uint64 {
	value, negative := r.integer()
	if negative {
		r.fail()
		return 0
	}
	return value
}

// Int reads an integer of -2^63 to 2^63 - 1.
func (r *Reader) Int() int64 {
	value, negative := r.integer()
	if !negative && value > math.MaxInt64 {
		r.fail()
		return 0
	}
	return int64(value)
}

// Float reads a number with a fraction.
func (r *Reader) Float() float64 {
	switch r.head() {
	case 0xca:
		return float64(math.Float32frombits(uint32(r.number(4))))
	case 0xcb:
		return math.Float64frombits(r.number(8))
	}
	r.fail()
	return 0
}

// String reads a str; whether it is UTF-8 is not checked.
func (r *Reader) String() string {
	var data []byte
	switch head := r.head(); {
	case head&0xe0 == 0xa0:
		r.rest = r.rest[1:]
		data = r.body(uint64(head & 31))
	case head >= 0xd9 && head <= 0xdb:
		data = r.body(r.number(1 << (head - 0xd9)))
	default:
		r.fail()
	}
	return unsafe.String(unsafe.SliceData(data), len(data))
}

// Optional reads a str, or nil as "" and false.
func (r *Reader) Optional() (string, bool) {
	if r.Nil() {
		return "", false
	}
	return r.String(), !r.Failed
}

// Binary reads a bin.
func (r *Reader) Binary() []byte {
	head := r.head()
	if head < 0xc4 || head > 0xc6 {
		r.fail()
		return nil
	}
	return r.body(r.number(1 << (head - 0xc4)))
}

// count refuses what is beyond the bytes that are left: each value has one at least.
func (r *Reader) count(fix, wide byte) int {
	var found uint64
	switch head := r.head(); {
	case head&0xf0 == fix:
		r.rest = r.rest[1:]
		found = uint64(head & 15)
	case head == wide:
		found = r.number(2)
	case head == wide+1:
		found = r.number(4)
	default:
		r.fail()
	}
	if found > uint64(len(r.rest)) {
		r.fail()
		return 0
	}
	return int(found)
}

// List reads how many values follow.
func (r *Reader) List() int { return r.count(0x90, 0xdc) }

// Map reads how many keys and values follow.
func (r *Reader) Map() int { return r.count(0x80, 0xde) }

// Skip passes over a value; nesting costs no stack.
func (r *Reader) Skip() {
	for left := uint64(1); left > 0 && !r.Failed; left-- {
		switch r.Peek() {
		case Nil:
			r.Nil()
		case Bool:
			r.Bool()
		case Int:
			r.integer()
		case Float:
			r.Float()
		case String:
			_ = r.String()
		case Binary:
			r.Binary()
		case List:
			left += uint64(r.List())
		case Map:
			left += 2 * uint64(r.Map())
		case Nothing:
			r.fail()
		}
	}
}

func put(to []byte, first byte, value uint64, width int) []byte {
	switch width {
	case 0:
		return append(to, first)
	case 1:
		return append(to, first, byte(value))
	case 2:
		return binary.BigEndian.AppendUint16(append(to, first), uint16(value))
	case 4:
		return binary.BigEndian.AppendUint32(append(to, first), uint32(value))
	}
	return binary.BigEndian.AppendUint64(append(to, first), value)
}

// AppendNil appends nil.
func AppendNil(to []byte) []byte { return append(to, 0xc0) }

// AppendBool appends a boolean.
func AppendBool(to []byte, value bool) []byte {
	if value {
		return append(to, 0xc3)
	}
	return append(to, 0xc2)
}

// AppendUint appends an integer in its shortest form.
func AppendUint(to []byte, value uint64) []byte {
	switch {
	case value < 0x80:
		return append(to, byte(value))
	case value <= math.MaxUint8:
		return put(to, 0xcc, value, 1)
	case value <= math.MaxUint16:
		return put(to, 0xcd, value, 2)
	case value <= math.MaxUint32:
		return put(to, 0xce, value, 4)
	}
	return put(to, 0xcf, value, 8)
}

// AppendInt appends an integer in its shortest form.
func AppendInt(to []byte, value int64) []byte {
	switch {
	case value >= 0:
		return AppendUint(to, uint64(value))
	case value >= -32:
		return append(to, byte(value))
	case value >= math.MinInt8:
		return put(to, 0xd0, uint64(value), 1)
	case value >= math.MinInt16:
		return put(to, 0xd1, uint64(value), 2)
	case value >= math.MinInt32:
		return put(to, 0xd2, uint64(value), 4)
	}
	return put(to, 0xd3, uint64(value), 8)
}

// AppendFloat appends a number of 64 bits.
func AppendFloat(to []byte, value float64) []byte { return put(to, 0xcb, math.Float64bits(value), 8) }

// AppendString appends a str.
func AppendString(to []byte, text string) []byte {
	switch size := uint64(len(text)); {
	case size < 32:
		to = append(to, 0xa0|byte(size))
	case size <= math.MaxUint8:
		to = put(to, 0xd9, size, 1)
	case size <= math.MaxUint16:
		to = put(to, 0xda, size, 2)
	default:
		to = put(to, 0xdb, size, 4)
	}
	return append(to, text...)
}

// AppendBinary appends a bin.
func AppendBinary[Bytes string | []byte](to []byte, data Bytes) []byte {
	switch size := uint64(len(data)); {
	case size <= math.MaxUint8:
		to = put(to, 0xc4, size, 1)
	case size <= math.MaxUint16:
		to = put(to, 0xc5, size, 2)
	default:
		to = put(to, 0xc6, size, 4)
	}
	return append(to, data...)
}

func appendCount(to []byte, fix, wide byte, count int) []byte {
	switch {
	case count < 16:
		return append(to, fix|byte(count))
	case count <= math.MaxUint16:
		return put(to, wide, uint64(count), 2)
	}
	return put(to, wide+1, uint64(count), 4)
}

// AppendList appends the head of a list: so many values have to follow.
func AppendList(to []byte, count int) []byte { return appendCount(to, 0x90, 0xdc, count) }

// AppendMap appends the head of a map: so many keys, each with its value, have to follow.
func AppendMap(to []byte, count int) []byte { return appendCount(to, 0x80, 0xde, count) }
