package token

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
)

func TestNewKeyRefuses(t *testing.T) {
	tests := []struct{ name, secret, want string }{
		{"empty", "", "is empty"},
		{"white space", " \n\t ", "is empty"},
		{"one byte short", strings.Repeat("a", 7) + "kJ3nZ8vQw2Xr5Ty9Lm4Bc6D1", "has 31 bytes"},
		{"short with padding of spaces", "kJ3nZ8vQw2Xr5" + strings.Repeat(" ", 40), "has 13 bytes"},
		{"default of the Python original", "your-secret-key-change-in-production", "sample"},
		{"upper case", "YOUR-SECRET-KEY-CHANGE-IN-PRODUCTION", "sample"},
		{"underscores", "your_secret_key_change_in_production", "sample"},
		{"words", "Your secret key: change in production!", "sample"},
		{"sample with a tail", "your-secret-key-change-in-production-8f3a", "sample"},
		{"jwt.io before 2025", "your-256-bit-secret-your-256-bit-secret", "sample"},
		{"jwt.io since 2025", "a-string-secret-at-least-256-bits-long", "sample"},
		{"changeme padded", "changeme!!!!!!!!!!!!!!!!!!!!!!!!!!", "sample"},
		{"change-me padded", "xxxx-Change-Me-xxxx-8f3aQ1z-yyyyyyyy", "sample"},
		{"replace me", "REPLACE_ME_WITH_A_LONG_RANDOM_STRING", "sample"},
		{"super secret", "super-secret-jwt-token-with-at-least-32-characters-long", "sample"},
		{"keyboard row", "qwertyuiopasdfghjklzxcvbnm1029384756", "sample"},
		{"RFC 7515", "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow", "sample"},
		{"RFC 7520", "hJtXIZ2uSN5kbQfbtTNWbpdmhkV8FJG-Onbc6mxCcYg", "sample"},
		{"FastAPI tutorial", "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", "sample"},
		{"one letter", strings.Repeat("a", 64), "repetition"},
		{"zeros", strings.Repeat("0", 32), "repetition"},
		{"zero bytes", strings.Repeat("\x00", 48), "repetition"},
		{"two letters", strings.Repeat("xy", 32), "repetition"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewKey(tt.secret)
			if err == nil {
				t.Fatal("the secret was accepted")
			}
			text := err.Error()
			if !strings.Contains(text, tt.want) || !strings.Contains(text, "openssl rand -base64 48") || strings.Contains(text, "\n") {
				t.Errorf("got %q, want one line with %q that says how to make a key", text, tt.want)
			}
			if secret := strings.TrimSpace(tt.secret); secret != "" && strings.Contains(text, secret) {
				t.Errorf("the message repeats the secret: %q", text)
			}
		})
	}
}

func TestNewKeyAcceptsRandom(t *testing.T) {
	for range 2000 {
		random := make([]byte, 48)
		if _, err := rand.Read(random); err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{
			base64.StdEncoding.EncodeToString(random), base64.RawURLEncoding.EncodeToString(random[:32]),
			hex.EncodeToString(random[:32]), hex.EncodeToString(random[:16]),
			strings.Repeat(base64.RawURLEncoding.EncodeToString(random[:32]), 2),
		} {
			if _, err := NewKey(secret); err != nil {
				t.Fatalf("%s: %v", secret, err)
			}
		}
	}
}

// TestNewKeyAcceptsTyped holds that a developer's own long key is theirs to choose.
func TestNewKeyAcceptsTyped(t *testing.T) {
	for _, secret := range []string{"0123456789abcdef0123456789abcdef", "a key for the laptop on my desk, long enough", "test-signing-key-0123456789-for-a-run"} {
		if _, err := NewKey(secret); err != nil {
			t.Errorf("%s: %v", secret, err)
		}
	}
}

func TestKeyIgnoresSurroundingSpace(t *testing.T) {
	plain, padded := newTestKey(t, goodSecret), newTestKey(t, "\n "+goodSecret+"\r\n")
	text, err := padded.Mint("drone", lifetime, now)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Alone(plain).Verify(text, now); err != nil {
		t.Error(err)
	}
}

func TestKeyDoesNotPrint(t *testing.T) {
	key := newTestKey(t, goodSecret)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		if got := fmt.Sprintf(format, key); strings.Contains(got, goodSecret[:8]) || got != "[secret]" {
			t.Errorf("%s printed %q", format, got)
		}
	}
}
