// Masks long runs of digits, and configured words, in responses that are text; also those that lie
// across chunks.
package main

import (
	"errors"
	"log/slog"
	"strings"

	"sentinel-gateway/sentinel"
)

// Config is what the gateway's configuration has for this guest. The shortest card numbers have 13
// digits (ISO/IEC 7812).
type Config struct {
	Mask   string   `config:"mask" default:"*" minimum:"1" maximum:"1" doc:"What each masked byte becomes: one printable character of ASCII."`
	Digits int      `config:"digits" default:"13" minimum:"0" maximum:"64" doc:"A run of at least so many digits is masked; 0 masks none."`
	Words  []string `config:"words" doc:"Texts that are masked wherever they occur, also within words; at most 1,024 bytes together."`
}

var (
	mask   byte
	digits int
	words  *automaton
	// plain are the bytes in which neither a word nor a run of digits goes on.
	plain [256]bool
)

// An instance serves one body at a time, from its first chunk to its last: where the automaton
// stands, how many digits the bytes so far end with, and their end, which is held back because it
// may begin something to mask.
var (
	state uint16
	run   int
	held  []byte
)

func isDigit(char byte) bool { return char >= '0' && char <= '9' }

// Configure builds the automaton.
func Configure(config Config) error {
	if len(config.Mask) != 1 || config.Mask[0] < ' ' || config.Mask[0] > '~' {
		return errors.New("mask: one printable character of ASCII is needed")
	}
	if config.Digits < 0 || config.Digits > 64 {
		return errors.New("digits: 0 to 64")
	}
	made, err := newAutomaton(config.Words)
	if err != nil {
		return err
	}
	mask, digits, words = config.Mask[0], config.Digits, made
	for i := range plain {
		plain[i] = words.columns[i] == 0 && !(digits > 0 && isDigit(byte(i)))
	}
	return nil
}

// OnRequest asks for what can be read: not what the upstream compresses, or cuts into ranges.
func OnRequest(request *sentinel.Request) *sentinel.Response {
	request.SetHeader("accept-encoding", "identity")
	request.RemoveHeader("range")
	return nil
}

// OnResponse asks for the body of a text.
func OnResponse(response *sentinel.IncomingResponse) *sentinel.Response {
	isAnyText := false
	for _, contentType := range response.Headers.All("content-type") {
		isAnyText = isAnyText || isText(contentType)
	}
	if !isAnyText {
		return nil
	}
	for _, coding := range response.Headers.All("content-encoding") {
		if !strings.EqualFold(coding, "identity") {
			slog.Warn("an encoded response passes unmasked")
			return nil
		}
	}
	response.Edits.Body = sentinel.StreamBody()
	return nil
}

func isText(contentType string) bool {
	mediaType := sentinel.MediaType(contentType)
	for _, end := range []string{"/json", "+json", "/xml", "+xml"} {
		if strings.HasSuffix(mediaType, end) {
			return true
		}
	}
	return strings.HasPrefix(mediaType, "text/")
}

// OnResponseChunk masks a chunk. A masked byte becomes one byte of the mask, so that lengths stay
// as they are.
func OnResponseChunk(chunk *sentinel.ResponseChunk) *sentinel.Response {
	var out []byte
	before := len(held)
	if before > 0 {
		out = append(held[:before:before], chunk.Bytes...)
	}
	for i, char := range chunk.Bytes {
		if plain[char] {
			state, run = 0, 0
			continue
		}
		state = words.next(state, char)
		if isDigit(char) {
			run++
		} else {
			run = 0
		}
		length := max(int(words.found[state]), digitsFound())
		if length == 0 {
			continue
		}
		if out == nil {
			out = append(out, chunk.Bytes...)
		}
		// What went out before was masked then.
		end := before + i + 1
		for at := max(0, end-length); at < end; at++ {
			out[at] = mask
		}
	}
	open := 0
	if chunk.IsLast {
		state, run = 0, 0
	} else if open = int(words.open[state]); run < digits {
		open = max(open, run)
	}
	if open > 0 && out == nil {
		out = append(out, chunk.Bytes...)
	}
	sent := max(0, len(out)-open)
	if held = nil; out != nil {
		held = append(held, out[sent:]...)
		chunk.Replace(out[:sent])
	}
	return nil
}

// digitsFound is how many bytes at the end of the run are to be masked now: all once it is long
// enough, then each that follows.
func digitsFound() int {
	switch {
	case digits == 0 || run < digits:
		return 0
	case run == digits:
		return digits
	}
	return 1
}

func main() {}
