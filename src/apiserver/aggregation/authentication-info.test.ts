import { beforeAll, describe, expect, it } from "vitest";
import { configMaps } from "../../api/index.js";
import { VirtualClock } from "../../internal/virtual-clock.js";
import { serve } from "../../testing/custom-resources.fixture.js";
import { createCertificateAuthority } from "../pki/certificate-authority.js";
import { AuthenticationConfig } from "./authentication-config.js";
import { type AuthenticationInfo, authenticationData } from "./authentication-info.js";

const clock = new VirtualClock();
let own: AuthenticationInfo;
let foreign = "";

beforeAll(async () => {
  const make = async (commonName: string): Promise<string> =>
    (await createCertificateAuthority({ commonName, clock })).certificate;
  own = { clientCa: await make("a"), requestHeaderCa: await make("b"), allowedNames: ["front-proxy-client"] };
  foreign = await make("c");
});

const certificates = (pem: string | undefined): number => (pem ?? "").split("BEGIN CERTIFICATE").length - 1;

describe("what servers behind this one are told of authentication", () => {
  it("has upstream's keys and form", () => {
    expect(authenticationData(own, {}, clock.now())).toEqual({
      "client-ca-file": own.clientCa.endsWith("\n") ? own.clientCa : `${own.clientCa}\n`,
      "requestheader-allowed-names": '["front-proxy-client"]',
      "requestheader-client-ca-file": own.requestHeaderCa.endsWith("\n")
        ? own.requestHeaderCa
        : `${own.requestHeaderCa}\n`,
      "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
      "requestheader-group-headers": '["X-Remote-Group"]',
      "requestheader-uid-headers": '["X-Remote-Uid"]',
      "requestheader-username-headers": '["X-Remote-User"]',
    });
  });

  it("keeps what other API servers said, and is the same when said again", () => {
    const present = { "client-ca-file": foreign, "requestheader-allowed-names": '["other"]', more: "x" };
    const data = authenticationData(own, present, clock.now());
    expect(certificates(data["client-ca-file"])).toBe(2);
    expect(data).toMatchObject({ "requestheader-allowed-names": '["other","front-proxy-client"]', more: "x" });
    expect(authenticationData(own, data, clock.now())).toEqual(data);
  });

  it("drops certificates whose time is over, and what is none", () => {
    const later = clock.now() + 100 * 365 * 24 * 3600 * 1000;
    const broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const present = { "client-ca-file": `${foreign}${broken}`, "requestheader-allowed-names": "[" };
    expect(certificates(authenticationData(own, present, later)["client-ca-file"])).toBe(0);
    expect(certificates(authenticationData(own, present, clock.now())["client-ca-file"])).toBe(2);
  });

  it("is written where it lacks, and repaired", async () => {
    await using served = await serve({ clock });
    const { server, client } = served;
    const stop = new AbortController();
    const running = new AuthenticationConfig(server, own).run({ signal: stop.signal, ready: () => {} });
    const key = { namespace: "kube-system", name: "extension-apiserver-authentication" };
    const wanted = authenticationData(own, {}, clock.now());
    const data = async (): Promise<unknown> => (await client.get(configMaps, key).catch(() => undefined))?.data;
    await expect.poll(data).toEqual(wanted);
    const now = await client.get(configMaps, key);
    await client.update(configMaps, { ...now, data: {} });
    await expect.poll(data).toEqual(wanted);
    stop.abort();
    await running;
  });
});
