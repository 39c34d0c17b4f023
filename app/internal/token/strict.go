package token

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Name is who this service is in a token: as the issuer (iss) of those it mints, and as the audience (aud) of those it takes.
const Name = "detection-api"

var (
	errParts    = errors.New("the token does not have three parts")
	errNoObject = errors.New("a part of the token is not one JSON object")
	errTyp      = errors.New("the header says that it is another kind of token (typ)")
	errTime     = errors.New("a time in the claims is not a number")
	errIssuer   = errors.New("the token is from another issuer (iss)")
	errAudience = errors.New("the token is for somebody else (aud)")
)

// Members of a header that change what is verified, or with what (RFC 7515 section 4.1 and RFC 7797). None is known here, and
// the parser looks at none.
var demanding = [...]string{"crit", "b64", "zip", "enc", "jku", "jwk", "x5u", "x5c"}

// What the parser takes in any case, as encoding/json does, and we in this one only (RFC 7519 section 7.3).
var caseMatters = [...]string{"alg", "typ", "kid", "sub", "exp", "nbf", "iat", "iss", "aud", "jti", "roles"}

// strict refuses what the parser would take: members that are there twice, of which it takes the last and another program
// may take the first, names in another case, text that is no UTF-8, times in strings, and demands of the header that are not
// known here. It returns what the token says.
func strict(bearer string) (claims object, err error) {
	parts := strings.Split(bearer, ".")
	if len(parts) != 3 {
		return nil, errParts
	}
	header, err := members(parts[0])
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	if err := header.demandsNothing(); err != nil {
		return nil, err
	}
	if claims, err = members(parts[1]); err != nil {
		return nil, fmt.Errorf("claims: %w", err)
	}
	for _, name := range []string{"exp", "nbf", "iat"} {
		if value, given := claims[name]; given && value.Kind() != jsontext.KindNumber {
			return nil, errTime
		}
	}
	return claims, nil
}

type object map[string]jsontext.Value

// members returns those of the object that a part of a token is.
func members(part string) (object, error) {
	text, err := base64.RawURLEncoding.Strict().DecodeString(part)
	if err != nil {
		return nil, err
	}
	d := jsontext.NewDecoder(bytes.NewReader(text))
	if d.PeekKind() != jsontext.KindBeginObject {
		return nil, errNoObject
	}
	if _, err := d.ReadToken(); err != nil {
		return nil, err
	}
	o := object{}
	for d.PeekKind() != jsontext.KindEndObject {
		name, err := d.ReadToken()
		if err != nil {
			return nil, err
		}
		text := name.String()
		if known := strings.ToLower(text); known != text && slices.Contains(caseMatters[:], known) {
			return nil, fmt.Errorf("%s is written in another case", known)
		}
		value, err := d.ReadValue()
		if err != nil {
			return nil, err
		}
		o[text] = value.Clone()
	}
	return o, nil // the parser refuses what follows it
}

func (o object) demandsNothing() error {
	for _, name := range demanding {
		if _, given := o[name]; given {
			return fmt.Errorf("the header demands what is not known here (%s)", name)
		}
	}
	if kid, given := o["kid"]; given {
		if text, err := jsontext.AppendUnquote(nil, kid); err != nil || !validKid(string(text)) {
			return errKid
		}
	}
	typ, given := o["typ"]
	if !given {
		return nil
	}
	text, err := jsontext.AppendUnquote(nil, typ)
	kind := strings.TrimPrefix(strings.ToLower(string(text)), "application/")
	if err != nil || kind != "jwt" && kind != "at+jwt" {
		return errTyp
	}
	return nil
}

// meant refuses a token that says of itself that it is somebody else's or for somebody else (RFC 7519 section 4.1.3). One
// that says nothing of it is ours: it is signed with our key.
func (c *claims) meant(said object) error {
	if _, given := said["iss"]; given && c.Issuer != Name {
		return errIssuer
	}
	if _, given := said["aud"]; given && !slices.Contains(c.Audience, Name) {
		return errAudience
	}
	return nil
}
