import { expect, test } from "bun:test";
import { maskAddress } from "../../../../edge/cameras/address.ts";

test.each([
  ["no secret stays as it is", "rtsp://camera.local:554/stream?channel=1", "rtsp://camera.local:554/stream?channel=1"],
  ["user and password", "rtsp://admin:pa55@10.0.0.4/s", "rtsp://***@10.0.0.4/s"],
  ["a user alone", "rtsp://admin@10.0.0.4/s", "rtsp://***@10.0.0.4/s"],
  ["an @ left unescaped in the password", "rtsp://admin:p@55@10.0.0.4/s", "rtsp://***@10.0.0.4/s"],
  ["an @ in the path is none of a login", "http://host/a@b", "http://host/a@b"],
  ["secrets in the query", "http://host/mjpeg?user=a&password=x&size=2", "http://host/mjpeg?user=a&password=***&size=2"],
  ["a token in the query", "https://host/hls.m3u8?access_token=abc.def", "https://host/hls.m3u8?access_token=***"],
  ["a simulated camera", "sim://junction?seed=7", "sim://junction?seed=7"],
  ["a file", "file:.cache/media/vtest.avi", "file:.cache/media/vtest.avi"],
])("%s", (_what, address, shown) => {
  expect(maskAddress(address)).toBe(shown);
});
