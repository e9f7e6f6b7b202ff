package sentinel

import (
	"errors"
	"fmt"
	"strings"

	"sentinel-gateway/sentinel/internal/wire"
)

// Header is a field. Names are in lower case.
type Header struct {
	Name, Value string
}

// Headers are fields in the order of arrival.
type Headers []Header

// Get returns the first value of that name, and whether there is one.
func (h Headers) Get(name string) (string, bool) {
	for i := range h {
		if h[i].Name == name {
			return h[i].Value, true
		}
	}
	return "", false
}

// Has tells whether there is such a field.
func (h Headers) Has(name string) bool {
	_, found := h.Get(name)
	return found
}

// All returns the values of that name.
func (h Headers) All(name string) []string {
	var found []string
	for i := range h {
		if h[i].Name == name {
			found = append(found, h[i].Value)
		}
	}
	return found
}

func readHeaders(reader *wire.Reader) Headers {
	count := reader.List()
	if count == 0 {
		return nil
	}
	made := make(Headers, count)
	for i := range made {
		fields := reader.List()
		made[i] = Header{reader.String(), text(reader.Binary())}
		for ; fields > 2; fields-- {
			reader.Skip()
		}
	}
	return made
}

// HeaderEdits are changes to header fields, in order. Names are written in lower case.
type HeaderEdits struct {
	encoded []byte
	count   int
}

func (e *HeaderEdits) field(kind byte, name, value string) {
	e.encoded = append(e.encoded, 0x92, kind, 0x92)
	e.encoded = wire.AppendString(e.encoded, strings.ToLower(name))
	e.encoded = wire.AppendBinary(e.encoded, value)
	e.count++
}

// Set replaces all fields of that name.
func (e *HeaderEdits) Set(name, value string) { e.field(0, name, value) }

// Append adds a field after those of the same name.
func (e *HeaderEdits) Append(name, value string) { e.field(1, name, value) }

// Remove removes all fields of that name.
func (e *HeaderEdits) Remove(name string) {
	e.encoded = wire.AppendString(append(e.encoded, 0x92, 2), strings.ToLower(name))
	e.count++
}

// Add makes all of the others' changes, such as those that Configure made once.
func (e *HeaderEdits) Add(others HeaderEdits) {
	e.encoded = append(e.encoded, others.encoded...)
	e.count += others.count
}

// Get returns what the last of the changes makes of a name; false if it removes it, and if there is
// none.
func (e *HeaderEdits) Get(name string) (string, bool) {
	reader := wire.NewReader(e.encoded)
	value, found := "", false
	for range e.count {
		reader.List()
		removes := reader.Uint() == 2
		if !removes {
			reader.List()
		}
		isMeant, read := reader.String() == name, ""
		if !removes {
			read = text(reader.Binary())
		}
		if isMeant {
			value, found = read, !removes
		}
	}
	return value, found
}

// owned are the fields that the gateway writes itself.
var owned = []string{
	"content-length", "transfer-encoding", "connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade",
	"host",
}

// CheckHeaderName tells why a guest may not edit the header field of that name.
func CheckHeaderName(name string) error {
	isToken := name != ""
	for i := range len(name) {
		at := name[i]
		isLetter, isDigit := at|0x20 >= 'a' && at|0x20 <= 'z', at >= '0' && at <= '9'
		// RFC 9110, section 5.6.2.
		isToken = isToken && (isLetter || isDigit || strings.IndexByte("!#$%&'*+-.^_`|~", at) >= 0)
	}
	if !isToken {
		return fmt.Errorf("`%s` is not a header name", name)
	}
	for _, each := range owned {
		if strings.EqualFold(each, name) {
			return fmt.Errorf("the header `%s` belongs to the gateway", each)
		}
	}
	return nil
}

// CheckHeaderValue tells why that is not a header's value, without showing it.
func CheckHeaderValue(value string) error {
	for i := range len(value) {
		if at := value[i]; (at < 0x20 && at != '\t') || at == 0x7f {
			return errors.New("a header's value cannot hold control characters")
		}
	}
	return nil
}
