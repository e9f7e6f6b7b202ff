package sentinel

import (
	"strings"
	"time"
	"unsafe"

	"sentinel-gateway/sentinel/internal/wire"
)

// text is a view of bytes that nobody changes.
func text(data []byte) string { return unsafe.String(unsafe.SliceData(data), len(data)) }

// Body says whether, and how, a guest sees a body. The zero value is not at all.
type Body struct {
	kind  byte
	limit uint32
}

// StreamBody asks for a body piece by piece.
func StreamBody() Body { return Body{kind: 1} }

// BufferBody asks for a whole body; the largest that is accepted, in bytes.
func BufferBody(limit uint32) Body { return Body{2, limit} }

// RequestEdits are changes to a request.
type RequestEdits struct {
	Headers HeaderEdits
	// Context is for this guest's later hooks on the same request.
	Context                       []byte
	Body                          Body
	path, query, method, upstream *string
}

// SetPath gives the request another path.
func (e *RequestEdits) SetPath(path string) { e.path = &path }

// SetQuery gives the request another query; "" removes it.
func (e *RequestEdits) SetQuery(query string) { e.query = &query }

// SetMethod gives the request another method.
func (e *RequestEdits) SetMethod(method string) { e.method = &method }

// SetUpstream sends the request to another upstream, which the configuration has to grant.
func (e *RequestEdits) SetUpstream(upstream string) { e.upstream = &upstream }

// Request is a request's head, and what the guest changes about it.
type Request struct {
	Method, Path string
	Query        string
	// HasQuery tells "/p?" from "/p".
	HasQuery                  bool
	Headers                   Headers
	Scheme, Authority, Client string
	ID, Route, HTTPVersion    string
	// ClientCertificate is what the client showed in the TLS handshake, or nil.
	ClientCertificate *ClientCertificate
	Edits             RequestEdits
}

// ClientCertificate is what is known of a client that showed a certificate.
type ClientCertificate struct {
	// Subject is the distinguished name (RFC 4514), such as "CN=alice,O=Example".
	Subject string
	// Names are the subject's alternative names with their kind, such as "URI:spiffe://example.org/a".
	Names []string
	// SHA256 is that of the certificate, in lower-case hexadecimal digits.
	SHA256 string
	// Verified is true if an authority of the listener has signed it and it was valid.
	Verified bool
}

// Header returns the first value of a header field, and whether there is one.
func (r *Request) Header(name string) (string, bool) { return r.Headers.Get(name) }

// SetHeader replaces all header fields of that name.
func (r *Request) SetHeader(name, value string) { r.Edits.Headers.Set(name, value) }

// AppendHeader adds a header field after those of the same name.
func (r *Request) AppendHeader(name, value string) { r.Edits.Headers.Append(name, value) }

// RemoveHeader removes all header fields of that name.
func (r *Request) RemoveHeader(name string) { r.Edits.Headers.Remove(name) }

// Response is one that a guest makes, or that an HTTP service gave.
type Response struct {
	Status  int
	Headers Headers
	Body    []byte
}

// NewResponse makes a response without header fields.
func NewResponse(status int, body string) *Response {
	return &Response{Status: status, Body: []byte(body)}
}

// WithHeader adds a header field, and returns the response.
func (r *Response) WithHeader(name, value string) *Response {
	r.Headers = append(r.Headers, Header{strings.ToLower(name), value})
	return r
}

// Origin is who made a response.
type Origin int

// The origins of responses.
const (
	FromUpstream Origin = iota
	FromGuest
	FromGateway
)

// ResponseEdits are changes to a response. The zero value changes nothing.
type ResponseEdits struct {
	Headers HeaderEdits
	Status  int
	Body    Body
}

// IncomingResponse is a response's head, and what the guest changes about it.
type IncomingResponse struct {
	Status  int
	Headers Headers
	Origin  Origin
	// Context is what this guest's OnRequest left.
	Context []byte
	Edits   ResponseEdits
}

// Header returns the first value of a header field, and whether there is one.
func (r *IncomingResponse) Header(name string) (string, bool) { return r.Headers.Get(name) }

// SetHeader replaces all header fields of that name.
func (r *IncomingResponse) SetHeader(name, value string) { r.Edits.Headers.Set(name, value) }

// AppendHeader adds a header field after those of the same name.
func (r *IncomingResponse) AppendHeader(name, value string) { r.Edits.Headers.Append(name, value) }

// RemoveHeader removes all header fields of that name.
func (r *IncomingResponse) RemoveHeader(name string) { r.Edits.Headers.Remove(name) }

// Chunk is a piece of a body.
type Chunk struct {
	Bytes []byte
	// IsLast is true exactly once, at the end.
	IsLast  bool
	Context []byte

	replacement []byte
	isReplaced  bool
}

// Replace sends these bytes in its place; none sends nothing.
func (c *Chunk) Replace(data []byte) { c.replacement, c.isReplaced = data, true }

// Replacement is what Replace was given, and whether it was called.
func (c *Chunk) Replacement() ([]byte, bool) { return c.replacement, c.isReplaced }

// RequestChunk is a piece of a request's body. Head changes the head, while the body is buffered.
type RequestChunk struct {
	Chunk
	Head RequestEdits
}

// ResponseChunk is a piece of a response's body. Head changes the head, while the body is buffered.
type ResponseChunk struct {
	Chunk
	Head ResponseEdits
}

// Outcome is how an exchange ended.
type Outcome int

// The outcomes.
const (
	Completed Outcome = iota
	ClientAborted
	UpstreamAborted
	GatewayAborted
)

// Summary is how a request ended.
type Summary struct {
	ID, Method, Path         string
	Query                    string
	HasQuery                 bool
	Route, Authority, Client string
	HTTPVersion              string
	Started                  time.Time
	Duration                 time.Duration
	// Status is 0 when the client got none.
	Status                      int
	RequestBytes, ResponseBytes uint64
	Outcome                     Outcome
	Origin                      Origin
	// Upstream and Endpoint are "" when none was asked.
	Upstream string
	// UpstreamDuration is negative when no response's head came.
	UpstreamDuration time.Duration
	Endpoint         string
	Tries            int
	// Context is what this guest's OnRequest left.
	Context []byte
}

func appendOptional(to []byte, value *string) []byte {
	if value == nil {
		return wire.AppendNil(to)
	}
	return wire.AppendString(to, *value)
}

func (e *HeaderEdits) append(to []byte) []byte {
	return append(wire.AppendList(to, e.count), e.encoded...)
}

func (b Body) append(to []byte) []byte {
	if b.kind != 2 {
		return append(to, 0x91, b.kind)
	}
	return wire.AppendUint(append(to, 0x92, b.kind), uint64(b.limit))
}

// fields is how many fields there are to be written: the rest have their default.
func (e *RequestEdits) fields() int {
	switch {
	case e.Body.kind != 0:
		return 7
	case e.upstream != nil:
		return 6
	case e.method != nil:
		return 5
	case e.query != nil:
		return 4
	case e.path != nil:
		return 3
	case len(e.Context) > 0:
		return 2
	}
	return min(e.Headers.count, 1)
}

func (e *RequestEdits) append(to []byte, fields int) []byte {
	to = wire.AppendList(to, fields)
	if fields > 0 {
		to = e.Headers.append(to)
	}
	if fields > 1 {
		to = wire.AppendBinary(to, e.Context)
	}
	for i, value := range [...]*string{e.path, e.query, e.method, e.upstream} {
		if fields > 2+i {
			to = appendOptional(to, value)
		}
	}
	if fields > 6 {
		to = e.Body.append(to)
	}
	return to
}

func (e *ResponseEdits) fields() int {
	switch {
	case e.Body.kind != 0:
		return 3
	case e.Status != 0:
		return 2
	}
	return min(e.Headers.count, 1)
}

func (e *ResponseEdits) append(to []byte, fields int) []byte {
	to = wire.AppendList(to, fields)
	if fields > 0 {
		to = e.Headers.append(to)
	}
	if fields > 1 && e.Status == 0 {
		to = wire.AppendNil(to)
	} else if fields > 1 {
		to = wire.AppendUint(to, uint64(e.Status))
	}
	if fields > 2 {
		to = e.Body.append(to)
	}
	return to
}

func (r *Response) append(to []byte) []byte {
	to = wire.AppendUint(wire.AppendList(to, 3), uint64(r.Status))
	to = wire.AppendList(to, len(r.Headers))
	for i := range r.Headers {
		to = wire.AppendString(append(to, 0x92), r.Headers[i].Name)
		to = wire.AppendBinary(to, r.Headers[i].Value)
	}
	return wire.AppendBinary(to, r.Body)
}
