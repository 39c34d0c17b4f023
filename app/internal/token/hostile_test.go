package token

import (
	"crypto/rand"
	"crypto/rsa"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// hostile is the negative corpus: tokens that have to be refused.
func hostile(t testing.TB) map[string]string {
	t.Helper()
	good := sign(hs256, goodClaims(), goodSecret)
	parts := strings.Split(good, ".")
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	rs256, err := jwt.NewWithClaims(jwt.SigningMethodRS256, jwt.MapClaims{"sub": "drone", "exp": now.Add(lifetime).Unix()}).SignedString(private)
	if err != nil {
		t.Fatal(err)
	}
	with := func(method jwt.SigningMethod, claims jwt.MapClaims, key any) string {
		text, err := jwt.NewWithClaims(method, claims).SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	complete := jwt.MapClaims{"sub": "drone", "exp": now.Add(lifetime).Unix()}
	exp := now.Add(lifetime).Unix()
	corpus := map[string]string{
		"empty":                         "",
		"a word":                        "drone",
		"one dot":                       parts[0] + "." + parts[1],
		"two dots only":                 "..",
		"many dots":                     strings.Repeat(".", 4000),
		"trailing dot":                  good + ".",
		"two trailing dots":             good + "..",
		"leading dot":                   "." + good,
		"five parts, as JWE":            good + ".a.b",
		"scheme repeated":               "Bearer " + good,
		"leading space":                 " " + good,
		"trailing newline":              good + "\n",
		"newline in the signature":      good[:len(good)-4] + "\r\n" + good[len(good)-4:],
		"two tokens":                    good + "," + good,
		"no signature":                  parts[0] + "." + parts[1] + ".",
		"alg none":                      with(jwt.SigningMethodNone, complete, jwt.UnsafeAllowNoneSignatureType),
		"alg None, signature kept":      encode(`{"alg":"None"}`) + "." + parts[1] + "." + parts[2],
		"alg nOnE, no signature":        encode(`{"alg":"nOnE"}`) + "." + parts[1] + ".",
		"alg empty":                     sign(`{"alg":""}`, goodClaims(), goodSecret),
		"alg missing":                   sign(`{"typ":"JWT"}`, goodClaims(), goodSecret),
		"alg null":                      sign(`{"alg":null}`, goodClaims(), goodSecret),
		"alg a number":                  sign(`{"alg":256}`, goodClaims(), goodSecret),
		"alg a list":                    sign(`{"alg":["HS256","none"]}`, goodClaims(), goodSecret),
		"alg lower case":                sign(`{"alg":"hs256"}`, goodClaims(), goodSecret),
		"alg HS384 with our key":        with(jwt.SigningMethodHS384, complete, []byte(goodSecret)),
		"alg HS512 with our key":        with(jwt.SigningMethodHS512, complete, []byte(goodSecret)),
		"alg says HS512, is HS256":      sign(`{"alg":"HS512"}`, goodClaims(), goodSecret),
		"alg RS256":                     rs256,
		"alg says RS256, is HS256":      sign(`{"alg":"RS256"}`, goodClaims(), goodSecret),
		"wrong key":                     sign(hs256, goodClaims(), otherSecret),
		"empty key":                     sign(hs256, goodClaims(), ""),
		"key in lower case":             sign(hs256, goodClaims(), strings.ToLower(goodSecret)),
		"kid is a path to an empty key": sign(`{"alg":"HS256","kid":"../../../../dev/null"}`, goodClaims(), ""),
		"kid is SQL for the key":        sign(`{"alg":"HS256","kid":"x' UNION SELECT 'k"}`, goodClaims(), "k"),
		"own key in jwk":                sign(`{"alg":"HS256","jwk":{"kty":"oct","k":"a2V5"}}`, goodClaims(), "key"),
		"own key by jku":                sign(`{"alg":"HS256","jku":"http://127.0.0.1/keys"}`, goodClaims(), "key"),
		"crit unknown":                  sign(`{"alg":"HS256","crit":["exp"]}`, goodClaims(), goodSecret),
		"kid is a path, with our key":   sign(`{"alg":"HS256","kid":"../../etc/passwd"}`, goodClaims(), goodSecret),
		"kid is empty, with our key":    sign(`{"alg":"HS256","kid":""}`, goodClaims(), goodSecret),
		"kid is a number, our key":      sign(`{"alg":"HS256","kid":7}`, goodClaims(), goodSecret),
		"kid twice":                     sign(`{"alg":"HS256","kid":"a","kid":"b"}`, goodClaims(), goodSecret),
		"jku with our key":              sign(`{"alg":"HS256","jku":"http://127.0.0.1/keys"}`, goodClaims(), goodSecret),
		"b64 false, not critical":       sign(`{"alg":"HS256","b64":false}`, goodClaims(), goodSecret),
		"zip":                           sign(`{"alg":"HS256","zip":"DEF"}`, goodClaims(), goodSecret),
		"alg twice":                     sign(`{"alg":"none","alg":"HS256"}`, goodClaims(), goodSecret),
		"alg twice, in two cases":       sign(`{"ALG":"none","alg":"HS256"}`, goodClaims(), goodSecret),
		"typ of another kind":           sign(`{"alg":"HS256","typ":"JWE"}`, goodClaims(), goodSecret),
		"typ a number":                  sign(`{"alg":"HS256","typ":1}`, goodClaims(), goodSecret),
		"sub twice":                     sign(hs256, claimsOf(`{"sub":"a","sub":"b","exp":%d}`, exp), goodSecret),
		"sub twice, once escaped":       sign(hs256, claimsOf(`{"sub":"a","\u0073ub":"b","exp":%d}`, exp), goodSecret),
		"exp twice":                     sign(hs256, claimsOf(`{"sub":"drone","exp":1,"exp":%d}`, exp), goodSecret),
		"names in another case":         sign(hs256, claimsOf(`{"SUB":"drone","Exp":%d}`, exp), goodSecret),
		"roles in another case":         sign(hs256, claimsOf(`{"sub":"drone","Roles":["operate"],"exp":%d}`, exp), goodSecret),
		"claims not UTF-8":              sign(hs256, claimsOf("{\"sub\":\"d\xff\",\"exp\":%d}", exp), goodSecret),
		"half a surrogate pair":         sign(hs256, claimsOf(`{"sub":"\ud800","exp":%d}`, exp), goodSecret),
		"byte order mark":               sign(hs256, "\ufeff"+goodClaims(), goodSecret),
		"exp in a string":               sign(hs256, claimsOf(`{"sub":"drone","exp":"%d"}`, exp), goodSecret),
		"nbf in a string":               sign(hs256, claimsOf(`{"sub":"drone","nbf":"1","exp":%d}`, exp), goodSecret),
		"for somebody else":             sign(hs256, claimsOf(`{"sub":"drone","aud":"billing","exp":%d}`, exp), goodSecret),
		"for several others":            sign(hs256, claimsOf(`{"sub":"drone","aud":["a","b"],"exp":%d}`, exp), goodSecret),
		"issuer empty":                  sign(hs256, claimsOf(`{"sub":"drone","iss":"","exp":%d}`, exp), goodSecret),
		"for nobody":                    sign(hs256, claimsOf(`{"sub":"drone","aud":[],"exp":%d}`, exp), goodSecret),
		"of another issuer":             sign(hs256, claimsOf(`{"sub":"drone","iss":"billing","exp":%d}`, exp), goodSecret),
		"crit b64":                      sign(`{"alg":"HS256","crit":["b64"],"b64":false}`, goodClaims(), goodSecret),
		"claims changed":                parts[0] + "." + encode(claimsOf(`{"sub":"admin","exp":%d}`, exp)) + "." + parts[2],
		"header changed":                encode(`{"alg":"HS256"}`) + "." + parts[1] + "." + parts[2],
		"signature cut":                 good[:len(good)-4],
		"signature longer":              good + "AAAA",
		"signature of zeros":            parts[0] + "." + parts[1] + "." + strings.Repeat("A", 43),
		"signature with padding":        good + "=",
		"signature not base64url":       parts[0] + "." + parts[1] + ".+/" + parts[2][2:],
		"header not base64":             "!!!." + parts[1] + "." + parts[2],
		"header not JSON":               sign(`alg=HS256`, goodClaims(), goodSecret),
		"header a list":                 sign(`["HS256"]`, goodClaims(), goodSecret),
		"header null":                   sign(`null`, goodClaims(), goodSecret),
		"header huge":                   sign(`{"alg":"HS256","x":"`+strings.Repeat("x", 1<<20)+`"}`, goodClaims(), goodSecret),
		"claims huge":                   sign(hs256, claimsOf(`{"sub":"drone","exp":%d,"x":"%s"}`, exp, strings.Repeat("x", 8192)), goodSecret),
		"claims nested deeply":          sign(hs256, strings.Repeat(`{"a":`, 500)+"1"+strings.Repeat("}", 500), goodSecret),
		"claims empty":                  sign(hs256, `{}`, goodSecret),
		"claims null":                   sign(hs256, `null`, goodSecret),
		"claims a string":               sign(hs256, `"drone"`, goodSecret),
		"claims not JSON":               sign(hs256, `{"sub":"drone",`, goodSecret),
		"claims with a tail":            sign(hs256, goodClaims()+`{"sub":"admin"}`, goodSecret),
		"no exp":                        sign(hs256, `{"sub":"drone"}`, goodSecret),
		"exp null":                      sign(hs256, `{"sub":"drone","exp":null}`, goodSecret),
		"exp a word":                    sign(hs256, `{"sub":"drone","exp":"never"}`, goodSecret),
		"exp a list":                    sign(hs256, `{"sub":"drone","exp":[9999999999]}`, goodSecret),
		"exp 0":                         sign(hs256, `{"sub":"drone","exp":0}`, goodSecret),
		"exp negative":                  sign(hs256, `{"sub":"drone","exp":-1}`, goodSecret),
		"exp overflows":                 sign(hs256, `{"sub":"drone","exp":1e400}`, goodSecret),
		"exp beyond 64 bits":            sign(hs256, `{"sub":"drone","exp":1e300}`, goodSecret),
		"expired":                       sign(hs256, claimsOf(`{"sub":"drone","exp":%d}`, now.Add(-Leeway).Unix()), goodSecret),
		"expired long ago":              sign(hs256, `{"sub":"drone","exp":1}`, goodSecret),
		"not yet valid":                 sign(hs256, claimsOf(`{"sub":"drone","exp":%d,"nbf":%d}`, exp, now.Add(Leeway+time.Second).Unix()), goodSecret),
		"issued in the future":          sign(hs256, claimsOf(`{"sub":"drone","exp":%d,"iat":%d}`, exp, now.Add(time.Minute).Unix()), goodSecret),
		"no sub":                        sign(hs256, claimsOf(`{"exp":%d}`, exp), goodSecret),
		"sub empty":                     sign(hs256, claimsOf(`{"sub":"","exp":%d}`, exp), goodSecret),
		"sub null":                      sign(hs256, claimsOf(`{"sub":null,"exp":%d}`, exp), goodSecret),
		"sub a number":                  sign(hs256, claimsOf(`{"sub":7,"exp":%d}`, exp), goodSecret),
		"sub a list":                    sign(hs256, claimsOf(`{"sub":["drone"],"exp":%d}`, exp), goodSecret),
		"sub with a newline":            sign(hs256, claimsOf(`{"sub":"a\nb","exp":%d}`, exp), goodSecret),
		"sub with a zero byte":          sign(hs256, claimsOf(`{"sub":"a\u0000b","exp":%d}`, exp), goodSecret),
		"sub that turns text around":    sign(hs256, claimsOf(`{"sub":"a\u202eb","exp":%d}`, exp), goodSecret),
		"roles null":                    sign(hs256, claimsOf(`{"sub":"drone","roles":null,"exp":%d}`, exp), goodSecret),
		"roles a string":                sign(hs256, claimsOf(`{"sub":"drone","roles":"operate","exp":%d}`, exp), goodSecret),
		"roles with null":               sign(hs256, claimsOf(`{"sub":"drone","roles":["operate",null],"exp":%d}`, exp), goodSecret),
		"roles with a number":           sign(hs256, claimsOf(`{"sub":"drone","roles":[1],"exp":%d}`, exp), goodSecret),
		"roles an object":               sign(hs256, claimsOf(`{"sub":"drone","roles":{"operate":true},"exp":%d}`, exp), goodSecret),
		"sub too long":                  sign(hs256, claimsOf(`{"sub":"%s","exp":%d}`, strings.Repeat("d", maxSubjectBytes+1), exp), goodSecret),
	}
	// The last character of 32 bytes in base64 has two spare bits. With them set, lenient decoders see the same signature.
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	last := strings.IndexByte(alphabet, good[len(good)-1])
	corpus["signature with spare bits set"] = good[:len(good)-1] + string(alphabet[last|1])
	return corpus
}

func TestVerifyRefusesHostileTokens(t *testing.T) {
	ring := Alone(newTestKey(t, goodSecret))
	corpus := hostile(t)
	if len(corpus) < 40 {
		t.Fatalf("the corpus has only %d tokens", len(corpus))
	}
	for name, text := range corpus {
		t.Run(name, func(t *testing.T) {
			if id, err := ring.Verify(text, now); err == nil || id.Subject != "" || id.Roles != nil {
				t.Errorf("accepted as %+v, error %v", id, err)
			}
		})
	}
}

// TestLenientParserAcceptsSome is the control of the corpus: the parser with its default options takes some of it, so the
// options of Verify are what refuses them.
func TestLenientParserAcceptsSome(t *testing.T) {
	corpus := hostile(t)
	for _, name := range []string{
		"no exp", "no sub", "sub empty", "sub with a newline", "alg HS512 with our key", "alg HS384 with our key",
		"crit unknown", "header huge", "sub twice", "exp twice", "alg twice", "claims not UTF-8", "half a surrogate pair",
		"for somebody else", "of another issuer", "kid is a path, with our key", "typ of another kind", "issued in the future", "trailing newline", "signature with spare bits set",
	} {
		parser := jwt.NewParser(jwt.WithTimeFunc(func() time.Time { return now }))
		_, err := parser.Parse(corpus[name], func(*jwt.Token) (any, error) { return []byte(goodSecret), nil })
		if err != nil {
			t.Errorf("%s: the default options refuse it too (%v), so it shows nothing", name, err)
		}
	}
}
