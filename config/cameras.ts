/** The configured cameras as the system watches them: with their logins put into their addresses. */
import type { CameraSettings } from "../protocols/camera.ts";
import type { LoadedConfig } from "./load.ts";

/** A login is `user:password`, or the whole address. */
const addressWith = (url: string, login: string): string => {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(login)) return login;
  const colon = login.indexOf(":");
  const address = new URL(url);
  address.username = colon < 0 ? login : login.slice(0, colon);
  address.password = colon < 0 ? "" : login.slice(colon + 1);
  return address.href;
};

/** Contains secrets: never printed, logged or sent as it is. */
export const cameraSettings = ({ config, resolveSecret }: LoadedConfig): CameraSettings[] =>
  config.cameras.list.map(({ login, preview: _preview, roi, ...camera }) => {
    const secret = login ? resolveSecret(login) : null;
    return {
      ...camera,
      ...(roi ? { roi: roi.map((polygon) => polygon.map((point): [number, number] => [...point])) } : {}),
      url: secret === null ? camera.url : addressWith(camera.url, secret),
    };
  });
