package wire

import (
	"encoding/hex"
	"encoding/json"
	"math"
	"os"
	"testing"
)

func TestIntegersComeBack(t *testing.T) {
	for _, value := range []int64{
		0, 127, 128, 255, 256, 65535, 65536, math.MaxUint32, math.MaxUint32 + 1, math.MaxInt64, -1, -32, -33, -128, -129,
		-32768, -32769, math.MinInt32, math.MinInt32 - 1, math.MinInt64,
	} {
		reader := NewReader(AppendInt(nil, value))
		if found := reader.Int(); found != value || !reader.Done() {
			t.Errorf("%d is read as %d", value, found)
		}
	}
}

// The answers that hosts refuse, each beginning of them, and each with a byte changed: nothing is
// read beyond the end.
func TestHostileBytes(t *testing.T) {
	var vectors struct {
		Hostile []struct{ Name, Bytes string }
	}
	text, err := os.ReadFile("../../../../tests/vectors/vectors.json")
	if err == nil {
		err = json.Unmarshal(text, &vectors)
	}
	if err != nil || len(vectors.Hostile) == 0 {
		t.Fatal("there are no vectors:", err)
	}
	for _, vector := range vectors.Hostile {
		data, err := hex.DecodeString(vector.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		for size := range min(len(data), 300) {
			walk(data[:size:size])
			changed := append([]byte{}, data[:min(len(data), 300)]...)
			for value := range 256 {
				changed[size] = byte(value)
				walk(changed[size:])
			}
		}
	}
}

func walk(data []byte) {
	whole := NewReader(data)
	whole.Skip()
	for _, read := range []func(*Reader){
		func(r *Reader) { r.Bool() }, func(r *Reader) { r.Int() }, func(r *Reader) { r.Uint() }, func(r *Reader) { r.Float() },
		func(r *Reader) { _ = r.String() }, func(r *Reader) { r.Binary() }, func(r *Reader) { r.List() },
		func(r *Reader) { r.Map() }, func(r *Reader) { r.Optional() },
	} {
		reader := NewReader(data)
		read(&reader)
	}
}

func FuzzReader(f *testing.F) {
	f.Add([]byte{0x92, 0, 0x91, 0x91})
	f.Fuzz(func(t *testing.T, data []byte) { walk(data) })
}
