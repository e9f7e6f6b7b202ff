package main

import (
	"bytes"
	"encoding/json"
	"net/url"
	"strings"

	"sentinel-gateway/sentinel"
)

// value is a decoded part of a request, and where it was.
type value struct {
	in   places
	text string
}

// Encoding more than once is a way around rules; nobody does it for good.
const mostDecoded = 3

func decoded(text string, decode func(string) (string, error)) string {
	for range mostDecoded {
		plain, err := decode(text)
		if err != nil || plain == text {
			break
		}
		text = plain
	}
	return text
}

func ofHead(request *sentinel.Request) []value {
	values := []value{{inPath, decoded(request.Path, url.PathUnescape)}}
	values = append(values, ofForm(inQuery, request.Query)...)
	for _, field := range request.Headers {
		if field.Name != "cookie" {
			values = append(values, value{inHeaders, field.Value})
			continue
		}
		for pair := range strings.SplitSeq(field.Value, ";") {
			_, content, _ := strings.Cut(pair, "=")
			values = append(values, value{inCookies, decoded(content, url.QueryUnescape)})
		}
	}
	return values
}

// ofForm is the names and values of a query, or of a form's body.
func ofForm(in places, text string) []value {
	var values []value
	for pair := range strings.SplitSeq(text, "&") {
		name, content, _ := strings.Cut(pair, "=")
		for _, part := range []string{name, content} {
			if part != "" {
				values = append(values, value{in, decoded(part, url.QueryUnescape)})
			}
		}
	}
	return values
}

// kindOf is how bodies of a media type are read, or "".
func kindOf(mediaType string) string {
	switch {
	case mediaType == "application/x-www-form-urlencoded":
		return "form"
	case strings.HasSuffix(mediaType, "/json"), strings.HasSuffix(mediaType, "+json"):
		return "json"
	case strings.HasPrefix(mediaType, "text/"), strings.HasSuffix(mediaType, "/xml"), strings.HasSuffix(mediaType, "+xml"):
		return "text"
	}
	return ""
}

func ofBody(kind string, body []byte) []value {
	switch kind {
	case "form":
		return ofForm(inBody, string(body))
	case "json":
		return ofJSON(body)
	}
	return []value{{inBody, string(body)}}
}

// ofJSON is every text in a document, keys included. What is no JSON may be some to an upstream: it
// is read as a text, from where it breaks off.
func ofJSON(body []byte) []value {
	var values []value
	decoder := json.NewDecoder(bytes.NewReader(body))
	for {
		token, err := decoder.Token()
		if err != nil {
			return append(values, value{inBody, string(body[decoder.InputOffset():])})
		}
		if text, isText := token.(string); isText {
			values = append(values, value{inBody, text})
		}
	}
}
