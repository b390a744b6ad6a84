/** The configured cameras, and their logins, which are kept apart from all that is stored or shown. */
import type { CameraSettings } from "../protocols/camera.ts";
import type { LoadedConfig } from "./load.ts";
import type { Config } from "./schema.ts";

/** A login is `user:password`, or the whole address. */
const addressWith = (url: string, login: string): string => {
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(login)) return login;
  const colon = login.indexOf(":");
  const address = new URL(url);
  address.username = colon < 0 ? login : login.slice(0, colon);
  address.password = colon < 0 ? "" : login.slice(colon + 1);
  return address.href;
};

/** The configured cameras, with their addresses as written: no login is in them. */
export const cameraSeeds = ({ config }: LoadedConfig): CameraSettings[] =>
  config.cameras.list.map(({ login: _login, preview: _preview, roi, ...camera }) => ({
    ...camera,
    ...(roi ? { roi: roi.map((polygon) => polygon.map((point): [number, number] => [...point])) } : {}),
  }));

/**
 * Puts a configured camera's login into its address, as long as the address is the configured one. What comes out contains a
 * secret: it is for opening the camera, never printed, logged, stored or sent.
 */
export const cameraLogins = ({ config, resolveSecret }: LoadedConfig): ((settings: CameraSettings) => CameraSettings) => {
  const configured = new Map(config.cameras.list.map((camera) => [camera.id, camera]));
  return (settings) => {
    const camera = configured.get(settings.id);
    const secret = camera?.login && camera.url === settings.url ? resolveSecret(camera.login) : null;
    return secret === null ? settings : { ...settings, url: addressWith(settings.url, secret) };
  };
};

/** What pictures a camera gives; one that is not configured is shown as all are. */
export const previewsOf = ({ cameras }: Config): ((cameraId: number) => Config["cameras"]["preview"]) => {
  const configured = new Map(cameras.list.map(({ id, preview }) => [id, preview]));
  return (cameraId) => configured.get(cameraId) ?? cameras.preview;
};
