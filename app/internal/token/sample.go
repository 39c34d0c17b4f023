package token

import "strings"

// samplePhrases are pieces of secrets that documentation shows and people forget to replace, in lower case, with letters and
// digits only. None has less than eight characters: one random key in ten million holds one of them by chance, at most.
var samplePhrases = [...]string{
	"yoursecret", "yourjwtkey", "your256bit", "yoursigningkey", "yourkeyhere", "yoursuper", "yourverysecret", "yourlongsecret",
	"changeinproduction", "changeme", "changethis", "changeit", "pleasechange", "mustbechanged",
	"replaceme", "replacethis", "replacewith", "insertyour", "placeholder", "fillmein",
	"supersecret", "stringsecret", "samplekey", "examplekey", "examplesecret", "samplesecret",
	"keyboardcat", "correcthorsebattery", "qwertyuiop",
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

// isPattern says whether a secret has few different bytes: one key held down, or a few in turn. Poor keys with more variety
// are let pass, because a development key that somebody typed is theirs to choose.
func isPattern(secret string) bool {
	var seen [256]bool
	distinct := 0
	for i := range len(secret) {
		if !seen[secret[i]] {
			seen[secret[i]] = true
			distinct++
		}
	}
	return distinct < minDistinct
}
