package detection

import (
	"bytes"
	"encoding/base64"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// picture is random bytes in base64.
func picture(bytes int) string {
	random := rand.NewChaCha8([32]byte{})
	out := make([]byte, bytes)
	random.Read(out)
	return base64.StdEncoding.EncodeToString(out)
}

// equalWays holds that the short way gives what the long one gives, or nothing.
func equalWays(t *testing.T, body []byte) (short bool) {
	t.Helper()
	before := bytes.Clone(body)
	got, ok := parseWithoutPicture(body, false)
	want, err := parseWhole(body, false)
	if !bytes.Equal(before, body) {
		t.Fatal("the body was changed")
	}
	if ok && (err != nil || !reflect.DeepEqual(got, want)) {
		t.Errorf("%.300s\nwithout its picture %+v\nas a whole          %+v, %v", body, got, want, err)
	}
	return ok
}

func TestThePictureIsCutOut(t *testing.T) {
	for _, size := range []int{1, 2, 3, 12287, 12288, 12289, 12290, 150_000} {
		for _, space := range []string{`"image_base64": "`, `"image_base64":"`, "\"image_base64\" \n:\t\"", `"IMAGE_BASE64": "`} {
			body := strings.Replace(goodBody, `"image_base64": "aGVsbG8=`, space+picture(size), 1)
			if !equalWays(t, []byte(body)) {
				t.Errorf("a picture of %d bytes after %q was not found", size, space)
			}
		}
	}
}

// TestDoubtfulPicturesAreParsedAsAWhole holds that neither way takes what the other refuses.
func TestDoubtfulPicturesAreParsedAsAWhole(t *testing.T) {
	long := picture(20_000)
	for name, change := range map[string][2]string{
		"two":                    {`"pixel_x": 960`, `"pixel_x": 960, "image_base64": ""`},
		"two, in another case":   {`"pixel_x": 960`, `"pixel_x": 960, "Image_Base64": null`},
		"two, with a long s":     {`"pixel_x": 960`, `"pixel_x": 960, "image_baſe64": ""`},
		"two, one escaped":       {`"pixel_x": 960`, `"pixel_x": 960, "image\u005fbase64": ""`},
		"escapes":                {long, strings.Replace(long, "/", `\/`, 1)},
		"a line end":             {long, long[:100] + "\n" + long[100:]},
		"padding in the middle":  {long, long[:16384-2] + "==" + long[16384:]},
		"a character too many":   {long, long + "A"},
		"not base64":             {long, long[:10] + "*" + long[11:]},
		"cut off":                {`"ground_elevation": 12.5`, `"ground_elevation"`},
		"another field is wrong": {`"pixel_x": 960`, `"pixel_x": -1`},
		"a number":               {`"` + long + `"`, "5"},
	} {
		body := strings.Replace(goodBody, "aGVsbG8=", long, 1)
		changed := strings.Replace(body, change[0], change[1], 1)
		if changed == body {
			t.Fatalf("%s: nothing was changed", name)
		}
		if equalWays(t, []byte(changed)) {
			t.Errorf("%s: taken by the short way", name)
		}
	}
	deeper := strings.Replace(goodBody, `"sensor_metadata": {`, `"sensor_metadata": {"image_base64": "`+long+`",`, 1)
	if equalWays(t, []byte(strings.Replace(deeper, `"image_base64": "aGVsbG8=",`, "", 1))) {
		t.Error("a picture inside of another object was taken for the report's")
	}
}

func FuzzPictureWays(f *testing.F) {
	f.Add([]byte(goodBody))
	f.Add([]byte(`{"image_base64":"aGVsbG8=","image_base64":""}`))
	f.Add([]byte(`["image_base64":"aGVsbG8="]`))
	f.Add([]byte(strings.Replace(goodBody, `"hello"`, `{"a":["image_base64"]}`, 1)))
	f.Fuzz(func(t *testing.T, body []byte) { equalWays(t, body) })
}
