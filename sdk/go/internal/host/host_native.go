//go:build !wasip1

// Package host calls the functions of the gateway, or natively what stands in for them.
package host

import (
	"encoding/binary"
	"math"
)

// Line is one that was logged.
type Line struct {
	Level uint32
	Text  string
}

// State is what the stand-ins have and have been asked; tests see it.
type State struct {
	Lines            []Line
	Keys             map[string][]byte
	Counted          map[string]uint64
	Described        map[string]string
	WallNow, MonoNow uint64
	Seed             uint64
	// Service answers with an encoded response, or with an error's number; nil is unreachable.
	Service func(request []byte) ([]byte, int)
}

// Now is the state.
var Now = NewState()

// NewState is what tests begin with.
func NewState() State {
	return State{Keys: map[string][]byte{}, Counted: map[string]uint64{}, Described: map[string]string{}}
}

// The contract's numbers.
const (
	notANumber  = 2
	unreachable = 4
)

var answered []byte

// Taken is no function of a native program.
func Taken(at, size uint32) []byte { panic("only in a guest") }

// Area keeps an answer for tests.
func Area(data []byte) uint32 {
	answered = data
	return 0
}

// Answered is the latest answer.
func Answered() []byte { return answered }

// OutcomeArea keeps a message for tests.
func OutcomeArea(message []byte) uint32 {
	answered = message
	return 0
}

// End ends a test that panics.
func End() { panic("the guest has ended the call") }

// Log records a line.
func Log(level uint32, line string) { Now.Lines = append(Now.Lines, Line{level, line}) }

// Wall is what a test has set.
func Wall() uint64 { return Now.WallNow }

// Monotonic is what a test has set.
func Monotonic() uint64 { return Now.MonoNow }

// Number is the same in each run: Knuth's MMIX.
func Number() uint64 {
	Now.Seed = Now.Seed*6364136223846793005 + 1442695040888963407
	return Now.Seed
}

// Random is so many bytes of such numbers.
func Random(count uint32) []byte {
	made := make([]byte, count)
	for i := range made {
		made[i] = byte(Number() >> 56)
	}
	return made
}

// Add counts.
func Add(name string, labels [][2]string, value uint64) { Now.Counted[name] += value }

// Observe counts one.
func Observe(name string, labels [][2]string, value float64) { Now.Counted[name]++ }

// Describe keeps the help text.
func Describe(name string, kind uint32, help, unit string, bounds []float64) {
	Now.Described[name] = help
}

// Get reads a key.
func Get(key string) ([]byte, bool, int) {
	value, found := Now.Keys[key]
	return value, found, -1
}

// Set writes a key.
func Set(key string, value []byte, ttl uint64) int {
	Now.Keys[key] = append([]byte{}, value...)
	return -1
}

// Delete removes a key.
func Delete(key string) (bool, int) {
	_, found := Now.Keys[key]
	delete(Now.Keys, key)
	return found, -1
}

// Count adds to a key.
func Count(key string, delta int64, ttl uint64) (int64, int) {
	value, found := Now.Keys[key]
	if found && len(value) != 8 {
		return 0, notANumber
	}
	var sum int64
	if found {
		sum = int64(binary.LittleEndian.Uint64(value))
	}
	if (delta > 0 && sum > math.MaxInt64-delta) || (delta < 0 && sum < math.MinInt64-delta) {
		return 0, notANumber
	}
	sum += delta
	Now.Keys[key] = binary.LittleEndian.AppendUint64(nil, uint64(sum))
	return sum, -1
}

// Send asks the service of a test.
func Send(request []byte) ([]byte, int) {
	if Now.Service == nil {
		return nil, unreachable
	}
	return Now.Service(request)
}
