// Lets a request pass if it has one of the configured API keys, and tells the upstream whose key it
// was.
package main

import (
	"errors"
	"strings"

	"sentinel-gateway/sentinel"
)

// Config is what the gateway's configuration has for this guest.
type Config struct {
	Keys            map[string]string   `config:"keys,required" doc:"Each key and the principal that it belongs to."`
	Header          sentinel.HeaderName `config:"header" default:"x-api-key" doc:"Where the key is sent."`
	PrincipalHeader sentinel.HeaderName `config:"principal_header" default:"x-principal" doc:"Where the upstream finds the principal; what the client sent there is replaced."`
	Realm           string              `config:"realm" default:"sentinel" doc:"The realm of the challenge."`
}

type key struct{ secret, principal string }

var (
	keys                    []key
	header, principalHeader string
	missing                 *sentinel.Response
	wrong                   = refusal(403, "this API key is not accepted")
	several                 = refusal(403, "more than one API key was sent")
)

// Configure checks the keys. The messages leave them out: they are secrets.
func Configure(config Config) error {
	// RFC 9110, section 5.6.4: within a quoted-string these two would need escapes.
	if sentinel.CheckHeaderValue(config.Realm) != nil || strings.ContainsAny(config.Realm, `"\`) {
		return errors.New("realm: no control characters, quotation marks or backslashes")
	}
	if len(config.Keys) == 0 {
		return errors.New("keys: at least one key is needed")
	}
	for secret, principal := range config.Keys {
		if secret == "" {
			return errors.New("keys: a key is empty")
		}
		if principal == "" || sentinel.CheckHeaderValue(principal) != nil {
			return errors.New("keys: the principal of each key has to be text that a header can carry")
		}
		keys = append(keys, key{secret, principal})
	}
	header, principalHeader = string(config.Header), string(config.PrincipalHeader)
	missing = refusal(401, "an API key is required").WithHeader("www-authenticate", `ApiKey realm="`+config.Realm+`"`)
	return nil
}

// OnRequest answers requests without a right key.
func OnRequest(request *sentinel.Request) *sentinel.Response {
	sent := request.Headers.All(header)
	if len(sent) == 0 {
		return missing
	}
	// Which of two would count is a question that gateway and upstream could answer differently.
	if len(sent) > 1 {
		return several
	}
	principal := ""
	// Every key is compared, whether an earlier one agreed or not: the time must not tell which one
	// it was.
	for _, each := range keys {
		if sentinel.EqualSecret(sent[0], each.secret) {
			principal = each.principal
		}
	}
	if principal == "" {
		return wrong
	}
	request.RemoveHeader(header)
	request.SetHeader(principalHeader, principal)
	return nil
}

func refusal(status int, message string) *sentinel.Response {
	response := sentinel.NewResponse(status, `{"error":"`+message+`"}`)
	return response.WithHeader("content-type", "application/json")
}

func main() {}
