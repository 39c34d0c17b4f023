package token

import "strings"

// samplePhrases are pieces of secrets that documentation shows and people forget to replace, in lower case, with letters and
// digits only. None has less than eight characters: one random key in ten million holds one of them by chance, at most.
var samplePhrases = [...]string{
	"yoursecret", "yourjwtkey", "your256bit", "yoursigningkey", "yourkeyhere", "yoursuper", "yourverysecret", "yourlongsecret",
	"changeinproduction", "changeme", "changethis", "changeit", "pleasechange", "mustbechanged",
	"replaceme", "replacethis", "replacewith", "insertyour", "placeholder", "fillmein",
	"secretkey", "supersecret", "topsecret", "verysecret", "mysecret", "jwtsecret", "secretsecret", "signingsecret",
	"stringsecret", "samplekey", "examplekey", "examplesecret", "samplesecret", "testsecret", "defaultsecret",
	"notsecure", "insecure", "donotuse", "keyboardcat", "passwordpassword", "correcthorsebattery",
	"qwertyuiop", "asdfghjkl", "12345678", "87654321", "abcdefgh", "deadbeef", "cafebabe",
}

// sampleKeys are published keys without a telling phrase.
var sampleKeys = [...]string{
	"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", // RFC 7515 appendix A.1.1
	"hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg",                                            // RFC 7520 section 3.5
	"09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",                       // FastAPI's OAuth2 and JWT tutorial
}

// isSample says whether a secret is, or is made from, one that is public.
func isSample(secret string) bool {
	text := normalise(secret)
	for _, key := range sampleKeys {
		if text == normalise(key) {
			return true
		}
	}
	for _, phrase := range samplePhrases {
		if strings.Contains(text, phrase) {
			return true
		}
	}
	return false
}

// normalise keeps ASCII letters, in lower case, and digits, so that CHANGE_ME, change-me and "Change me" are one.
func normalise(secret string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'A' && r <= 'Z':
			return r + 'a' - 'A'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, secret)
}

// minDistinct is how many different bytes a secret needs. 32 random decimal digits, the poorest alphabet in use, have
// fewer than 8 different ones with a probability of 2 in 1000; anything richer never does.
const minDistinct = 8

// isPattern says whether a secret has almost no entropy for its length: few different bytes, one block repeated until it
// is long enough, or an alphabet counted up or down.
func isPattern(secret string) bool {
	var seen [256]bool
	distinct, steps := 0, 0
	for i := range len(secret) {
		if !seen[secret[i]] {
			seen[secret[i]] = true
			distinct++
		}
		if i > 0 {
			if d := int(secret[i]) - int(secret[i-1]); d >= -1 && d <= 1 {
				steps++
			}
		}
	}
	block := period(secret)
	return distinct < minDistinct || 3*steps > 2*len(secret) || block < MinKeyBytes && 2*block <= len(secret)
}

// period returns the length of the shortest block whose repetition, perhaps cut off at the end, is the text.
func period(text string) int {
	for p := 1; p < len(text); p++ {
		if strings.HasPrefix(text, text[p:]) {
			return p
		}
	}
	return len(text)
}
