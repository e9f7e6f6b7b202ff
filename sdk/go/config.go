package sentinel

import (
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"unicode/utf8"

	"sentinel-gateway/sentinel/internal/host"
	"sentinel-gateway/sentinel/internal/wire"
)

// deepest is how deep the contract lets values of a configuration nest (wit/ABI.md, section 4).
const deepest = 16

var kinds = [...]string{
	"nothing", "a boolean", "an integer", "a number", "a string", "bytes", "a list", "a map", "no value",
}

// Value is a value of the configuration, for types that read it by themselves: see ConfigReader.
type Value struct {
	kind  wire.Kind
	flag  bool
	whole int64
	real  float64
	text  string
	items []Value
	keys  []string
}

// Text is the string, or an error.
func (v Value) Text() (string, error) { return v.text, v.expect(wire.String) }

// Int is the integer, or an error.
func (v Value) Int() (int64, error) { return v.whole, v.expect(wire.Int) }

// Float is the number, or an error; an integer will do.
func (v Value) Float() (float64, error) {
	if v.kind == wire.Int {
		return float64(v.whole), nil
	}
	return v.real, v.expect(wire.Float)
}

// Bool is the boolean, or an error.
func (v Value) Bool() (bool, error) { return v.flag, v.expect(wire.Bool) }

// List is the values of a list, or an error.
func (v Value) List() ([]Value, error) { return v.items, v.expect(wire.List) }

// Map is the keys of a map and a value for each, in the order written, or an error.
func (v Value) Map() ([]string, []Value, error) { return v.keys, v.items, v.expect(wire.Map) }

func (v Value) expect(kind wire.Kind) error {
	if v.kind == kind {
		return nil
	}
	return fmt.Errorf("expected %s, found %s", kinds[kind], kinds[v.kind])
}

// ConfigReader is a type that reads its part of the configuration by itself. Its schema is a JSON
// Schema.
type ConfigReader interface {
	ReadConfig(value Value) error
	ConfigSchema() map[string]any
}

// HeaderName is the name of a header field that a guest may edit, in lower case.
type HeaderName string

// ReadConfig is a ConfigReader's.
func (n *HeaderName) ReadConfig(value Value) error {
	name, err := value.Text()
	if err != nil {
		return err
	}
	*n = HeaderName(strings.ToLower(name))
	return CheckHeaderName(name)
}

// ConfigSchema is a ConfigReader's.
func (*HeaderName) ConfigSchema() map[string]any { return map[string]any{"type": "string"} }

// ReadConfig is a ConfigReader's: a map with the list "remove" and the maps "set" and "append".
func (e *HeaderEdits) ReadConfig(value Value) error {
	var wanted struct {
		Remove []HeaderName `config:"remove"`
		Set    headerFields `config:"set"`
		Append headerFields `config:"append"`
	}
	if err := decode(reflect.ValueOf(&wanted).Elem(), value, ""); err != nil {
		return err
	}
	for _, name := range wanted.Remove {
		e.Remove(string(name))
	}
	for _, field := range wanted.Set {
		e.Set(field.Name, field.Value)
	}
	for _, field := range wanted.Append {
		e.Append(field.Name, field.Value)
	}
	return nil
}

// ConfigSchema is a ConfigReader's.
func (*HeaderEdits) ConfigSchema() map[string]any {
	fields := func(text string) map[string]any {
		return map[string]any{"type": "object", "additionalProperties": map[string]any{"type": "string"}, "description": text}
	}
	return map[string]any{
		"type":                 "object",
		"additionalProperties": false,
		"properties": map[string]any{
			"remove": map[string]any{
				"type": "array", "items": map[string]any{"type": "string"}, "description": "Names of fields.",
			},
			"set":    fields("Each name and the value that replaces all fields of that name."),
			"append": fields("Each name and the value of a further field."),
		},
	}
}

// headerFields is a map whose order counts.
type headerFields []Header

func (f *headerFields) ReadConfig(value Value) error {
	names, values, err := value.Map()
	if err != nil {
		return err
	}
	for i, name := range names {
		if err := CheckHeaderName(name); err != nil {
			return err
		}
		content, err := values[i].Text()
		if err == nil {
			err = CheckHeaderValue(content)
		}
		if err != nil {
			return at(name, err)
		}
		*f = append(*f, Header{name, content})
	}
	return nil
}

func (f *headerFields) ConfigSchema() map[string]any { return map[string]any{"type": "object"} }

func readValue(reader *wire.Reader, path string, depth int) (Value, error) {
	if depth > deepest {
		return Value{}, fmt.Errorf("the configuration is nested too deeply at %s", path)
	}
	value := Value{kind: reader.Peek()}
	switch value.kind {
	case wire.Bool:
		value.flag = reader.Bool()
	case wire.Int:
		value.whole = reader.Int()
	case wire.Float:
		value.real = reader.Float()
	case wire.String:
		if value.text = reader.String(); !utf8.ValidString(value.text) {
			return value, at(path, errors.New("the string is not UTF-8"))
		}
	case wire.List:
		for i := range reader.List() {
			item, err := readValue(reader, path+"["+strconv.Itoa(i)+"]", depth+1)
			if err != nil {
				return value, err
			}
			value.items = append(value.items, item)
		}
	case wire.Map:
		for range reader.Map() {
			key := reader.String()
			if !utf8.ValidString(key) {
				return value, at(path, errors.New("a key: the string is not UTF-8"))
			}
			item, err := readValue(reader, inside(path, key), depth+1)
			if err != nil {
				return value, err
			}
			value.keys, value.items = append(value.keys, key), append(value.items, item)
		}
	default:
		reader.Skip()
	}
	if reader.Failed {
		return value, errors.New("the configuration is no MessagePack")
	}
	return value, nil
}

func inside(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

// problem is what is wrong at a place in the configuration.
type problem struct{ path, text string }

func (p *problem) Error() string {
	if p.path == "" {
		return p.text
	}
	return p.path + ": " + p.text
}

// at says that a problem lies inside of a place.
func at(path string, err error) error {
	if err == nil {
		return nil
	}
	var known *problem
	if !errors.As(err, &known) {
		return &problem{path, err.Error()}
	}
	if known.path == "" || strings.HasPrefix(known.path, "[") {
		return &problem{path + known.path, known.text}
	}
	return &problem{inside(path, known.path), known.text}
}

// decode puts a value into a variable of any type that a configuration may have. A message that has
// been given a path shows no keys of maps, which may be secrets.
func decode(to reflect.Value, value Value, path string) error {
	if reader, ok := to.Addr().Interface().(ConfigReader); ok {
		return at(path, reader.ReadConfig(value))
	}
	var err error
	switch to.Kind() {
	case reflect.String:
		var found string
		if found, err = value.Text(); err == nil {
			to.SetString(found)
		}
	case reflect.Bool:
		var found bool
		if found, err = value.Bool(); err == nil {
			to.SetBool(found)
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		var found int64
		if found, err = value.Int(); err == nil && to.OverflowInt(found) {
			err = errors.New("the number is too large or too small")
		}
		to.SetInt(found)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		var found int64
		if found, err = value.Int(); err == nil && (found < 0 || to.OverflowUint(uint64(found))) {
			err = errors.New("the number is too large or too small")
		}
		to.SetUint(uint64(found))
	case reflect.Float32, reflect.Float64:
		var found float64
		if found, err = value.Float(); err == nil {
			to.SetFloat(found)
		}
	case reflect.Slice:
		return decodeList(to, value, path)
	case reflect.Map:
		return decodeMap(to, value, path)
	case reflect.Struct:
		return decodeStruct(to, value, path)
	default:
		err = fmt.Errorf("a configuration cannot have the type %s", to.Type())
	}
	return at(path, err)
}

func decodeList(to reflect.Value, value Value, path string) error {
	items, err := value.List()
	if err != nil {
		return at(path, err)
	}
	made := reflect.MakeSlice(to.Type(), len(items), len(items))
	for i, item := range items {
		if err := decode(made.Index(i), item, path+"["+strconv.Itoa(i)+"]"); err != nil {
			return err
		}
	}
	to.Set(made)
	return nil
}

func decodeMap(to reflect.Value, value Value, path string) error {
	keys, items, err := value.Map()
	if err != nil {
		return at(path, err)
	}
	made := reflect.MakeMapWithSize(to.Type(), len(keys))
	for i, key := range keys {
		item := reflect.New(to.Type().Elem()).Elem()
		if err := decode(item, items[i], inside(path, "*")); err != nil {
			return err
		}
		made.SetMapIndex(reflect.ValueOf(key).Convert(to.Type().Key()), item)
	}
	to.Set(made)
	return nil
}

func decodeStruct(to reflect.Value, value Value, path string) error {
	keys, items, err := value.Map()
	if err != nil {
		return at(path, err)
	}
	known := map[string]bool{}
	for i := range to.NumField() {
		field := fieldOf(to.Type().Field(i))
		if field.key == "" {
			continue
		}
		known[field.key] = true
		place := indexOf(keys, field.key)
		if place >= 0 {
			err = decode(to.Field(i), items[place], inside(path, field.key))
		} else if field.isRequired {
			err = at(path, fmt.Errorf("missing key `%s`", field.key))
		} else if field.fallback != "" {
			err = decode(to.Field(i), field.fallbackValue(to.Field(i).Kind()), inside(path, field.key))
		}
		if err != nil {
			return err
		}
	}
	for _, key := range keys {
		if !known[key] {
			return at(path, fmt.Errorf("unknown key `%s`", key))
		}
	}
	return nil
}

func indexOf(keys []string, wanted string) int {
	for i, key := range keys {
		if key == wanted {
			return i
		}
	}
	return -1
}

// structField is what the tags of a field say: `config:"name"` or `config:"name,required"`,
// `default`, `doc`, `minimum` and `maximum`, which of a string bound its length.
type structField struct {
	key, fallback, doc, minimum, maximum string
	isRequired                           bool
}

func fieldOf(field reflect.StructField) structField {
	key, options, _ := strings.Cut(field.Tag.Get("config"), ",")
	return structField{
		key, field.Tag.Get("default"), field.Tag.Get("doc"), field.Tag.Get("minimum"), field.Tag.Get("maximum"),
		options == "required",
	}
}

func (f structField) fallbackValue(kind reflect.Kind) Value {
	switch kind {
	case reflect.Bool:
		return Value{kind: wire.Bool, flag: f.fallback == "true"}
	case reflect.Float32, reflect.Float64:
		real, _ := strconv.ParseFloat(f.fallback, 64)
		return Value{kind: wire.Float, real: real}
	case reflect.String:
		return Value{kind: wire.String, text: f.fallback}
	}
	whole, err := strconv.ParseInt(f.fallback, 10, 64)
	if err != nil {
		return Value{kind: wire.String, text: f.fallback}
	}
	return Value{kind: wire.Int, whole: whole}
}

// ReadConfig decodes a configuration's bytes into a struct, as the gateway's call of Configure
// does.
func ReadConfig[T any](data []byte) (T, error) {
	var config T
	reader := wire.NewReader(data)
	value, err := readValue(&reader, "", 1)
	if err == nil && !reader.Done() {
		err = errors.New("the configuration has bytes after its end")
	}
	if err == nil {
		err = decode(reflect.ValueOf(&config).Elem(), value, "")
	}
	return config, err
}

// RunConfigure calls a configure hook.
func RunConfigure[T any](hook func(T) error, at, size uint32) uint32 {
	return host.OutcomeArea(runConfigure(hook, host.Taken(at, size)))
}

func runConfigure[T any](hook func(T) error, data []byte) []byte {
	defer logPanic()
	config, err := ReadConfig[T](data)
	if err == nil {
		err = hook(config)
	}
	if err == nil {
		return nil
	}
	return []byte(err.Error())
}

// Schema is the JSON Schema of a configure hook's struct; `sentinel build` puts it into the guest's
// file.
func Schema[T any](func(T) error) map[string]any {
	var config T
	return schemaOf(reflect.ValueOf(&config).Elem())
}

func schemaOf(value reflect.Value) map[string]any {
	if reader, ok := value.Addr().Interface().(ConfigReader); ok {
		return reader.ConfigSchema()
	}
	switch value.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return map[string]any{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return map[string]any{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(reflect.New(value.Type().Elem()).Elem())}
	case reflect.Map:
		return map[string]any{
			"type": "object", "additionalProperties": schemaOf(reflect.New(value.Type().Elem()).Elem()),
		}
	case reflect.Struct:
		return structSchema(value)
	}
	return map[string]any{}
}

func structSchema(value reflect.Value) map[string]any {
	properties, required := map[string]any{}, []string{}
	for i := range value.NumField() {
		field := fieldOf(value.Type().Field(i))
		if field.key == "" {
			continue
		}
		schema := schemaOf(value.Field(i))
		if field.doc != "" {
			schema["description"] = field.doc
		}
		if field.fallback != "" {
			schema["default"] = field.fallbackValue(value.Field(i).Kind()).plain()
		}
		minimum, maximum := "minimum", "maximum"
		if value.Field(i).Kind() == reflect.String {
			minimum, maximum = "minLength", "maxLength"
		}
		for name, text := range map[string]string{minimum: field.minimum, maximum: field.maximum} {
			if number, err := strconv.ParseInt(text, 10, 64); err == nil {
				schema[name] = number
			}
		}
		properties[field.key] = schema
		if field.isRequired {
			required = append(required, field.key)
		}
	}
	schema := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		schema["required"] = required
	}
	return schema
}

func (v Value) plain() any {
	switch v.kind {
	case wire.Bool:
		return v.flag
	case wire.Int:
		return v.whole
	case wire.Float:
		return v.real
	}
	return v.text
}
