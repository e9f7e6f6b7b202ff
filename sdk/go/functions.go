package sentinel

import (
	"crypto/subtle"
	"errors"
	"strings"
	"time"

	"sentinel-gateway/sentinel/internal/host"
	"sentinel-gateway/sentinel/internal/wire"
)

// Now is the time of day. It needs the grant "clock", as does Elapsed. A guest that calls one of
// them has the standard library's clock, too; in others that stands still.
func Now() time.Time { return time.Unix(0, int64(host.Wall())).UTC() }

// Elapsed is the time since some moment, which never runs backwards.
func Elapsed() time.Duration { return time.Duration(host.Monotonic()) }

// RandomBytes are at most 65,536 bytes, fit for keys. They need the grant "random", as does
// RandomNumber. A guest that calls one of them has the standard library's random numbers, too; in
// others these are the same in each instance.
func RandomBytes(count int) []byte { return host.Random(uint32(count)) }

// RandomNumber is one of 64 bits.
func RandomNumber() uint64 { return host.Number() }

// Label is a metric's.
type Label struct {
	Name, Value string
}

func pairs(labels []Label) [][2]string {
	made := make([][2]string, len(labels))
	for i, label := range labels {
		made[i] = [2]string{label.Name, label.Value}
	}
	return made
}

// Count adds to the counter that the gateway shows as guest_NAME_total. It needs the grant
// "metrics", as does Observe.
func Count(name string, value uint64, labels ...Label) { host.Add(name, pairs(labels), value) }

// Observe puts a value into the histogram that the gateway shows as guest_NAME.
func Observe(name string, value float64, labels ...Label) { host.Observe(name, pairs(labels), value) }

// Kind is what a metric is.
type Kind uint8

// What Count counts, and what Observe observes.
const (
	Counter Kind = iota
	Histogram
)

// Metric is what the gateway tells of a metric beside its numbers.
type Metric struct {
	Name string
	Kind Kind
	// Help has at most 256 bytes.
	Help string
	// Unit is such as "seconds"; the name ends in it.
	Unit string
	// Bounds are the upper ends of a histogram's buckets: at most 16, ascending.
	Bounds []float64
}

// Describe says what a metric is. It is there for Configure; saying the same again changes nothing.
// What breaks the rules is refused with a warning in the log. It needs the grant "metrics".
func Describe(metric Metric) {
	host.Describe(metric.Name, uint32(metric.Kind), metric.Help, metric.Unit, metric.Bounds)
}

// What the functions for keys fail with.
var (
	ErrFull        = errors.New("the guest's quota of keys is used up")
	ErrTooLarge    = errors.New("larger than the gateway allows")
	ErrNotANumber  = errors.New("the key holds no number, or the sum would be none")
	ErrUnavailable = errors.New("the store of keys is held up")
)

var kvErrors = [...]error{ErrFull, ErrTooLarge, ErrNotANumber, ErrUnavailable}

func errorOf(errors []error, number int) error {
	if number < 0 {
		return nil
	}
	return errors[number]
}

// Get reads a key that all workers share, and tells whether there is one. Keys need the grant "kv".
func Get(key string) ([]byte, bool, error) {
	value, found, number := host.Get(key)
	return value, found, errorOf(kvErrors[:], number)
}

// Set writes a key for some time, or with 0 for ever.
func Set(key string, value []byte, ttl time.Duration) error {
	return errorOf(kvErrors[:], host.Set(key, value, milliseconds(ttl)))
}

// Delete removes a key, and tells whether there was one.
func Delete(key string) (bool, error) {
	found, number := host.Delete(key)
	return found, errorOf(kvErrors[:], number)
}

// Add adds to the number at a key in one step, and returns the sum. An absent one is 0, and lasts
// for some time, or with 0 for ever.
func Add(key string, delta int64, ttl time.Duration) (int64, error) {
	sum, number := host.Count(key, delta, milliseconds(ttl))
	return sum, errorOf(kvErrors[:], number)
}

func milliseconds(ttl time.Duration) uint64 { return uint64(ttl.Milliseconds()) }

// What Send fails with.
var (
	ErrDenied      = errors.New("the configuration does not allow that service")
	ErrInvalid     = errors.New("the request is not what the contract says")
	ErrTooMany     = errors.New("more calls in one hook than the configuration allows")
	ErrTimeout     = errors.New("there was no whole answer in time")
	ErrUnreachable = errors.New("there was no connection, or it broke off")
)

var httpErrors = [...]error{ErrDenied, ErrInvalid, ErrTooMany, ErrTimeout, ErrUnreachable, ErrTooLarge}

// Outbound is what a guest asks an HTTP service.
type Outbound struct {
	Method, URL string
	Headers     Headers
	Body        []byte
	// Timeout is for all of it; 0 is what the configuration says.
	Timeout time.Duration
}

// Send asks an HTTP service and waits for the whole answer; the guest is suspended meanwhile. It
// needs the grant "http-client".
func (o *Outbound) Send() (*Response, error) {
	data, number := host.Send(o.encode())
	if number >= 0 {
		return nil, httpErrors[number]
	}
	reader := wire.NewReader(data)
	reader.List()
	response := &Response{Status: int(reader.Uint()), Headers: readHeaders(&reader), Body: reader.Binary()}
	check(&reader, "response")
	return response, nil
}

func (o *Outbound) encode() []byte {
	fields := 2
	switch {
	case o.Timeout != 0:
		fields = 5
	case len(o.Body) > 0:
		fields = 4
	case len(o.Headers) > 0:
		fields = 3
	}
	made := wire.AppendString(wire.AppendList(nil, fields), o.Method)
	made = wire.AppendString(made, o.URL)
	if fields > 2 {
		made = wire.AppendList(made, len(o.Headers))
		for _, header := range o.Headers {
			made = wire.AppendString(append(made, 0x92), strings.ToLower(header.Name))
			made = wire.AppendBinary(made, header.Value)
		}
	}
	if fields > 3 {
		made = wire.AppendBinary(made, o.Body)
	}
	if fields > 4 {
		made = wire.AppendUint(made, milliseconds(o.Timeout))
	}
	return made
}

// EqualSecret tells whether both are the same, in a time that does not tell how much of a guess was
// right.
func EqualSecret(guess, secret string) bool {
	return subtle.ConstantTimeCompare([]byte(guess), []byte(secret)) == 1
}

// MediaType is what a content-type says without its parameters, in lower case.
func MediaType(contentType string) string {
	if end := strings.IndexAny(contentType, "; \t"); end >= 0 {
		contentType = contentType[:end]
	}
	return strings.ToLower(contentType)
}
