import { describe, expect, test } from "vitest";
import { difference, finishedServers, parseServers, sameServers, serverKey } from "./virtual-servers.js";

const saved = `-A -t 10.96.0.10:80 -s rr
-a -t 10.96.0.10:80 -r 10.244.0.2:8080 -m -w 1
-a -t 10.96.0.10:80 -r 10.244.0.3:8080 -m -w 0
-A -u 10.96.0.10:53 -s rr -p 100
-a -u 10.96.0.10:53 -r 10.244.0.2:53 -m -w 1
`;

interface Case {
  readonly name: string;
  readonly has: string;
  readonly wants: string;
  readonly lines: readonly string[];
}

const cases: readonly Case[] = [
  { name: "nothing to do", has: "-A -t 1.1.1.1:80 -s rr", wants: "-A -t 1.1.1.1:80 -s rr", lines: [] },
  {
    name: "a new server",
    has: "",
    wants: "-A -t 1.1.1.1:80 -s rr -p 5\n-a -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 1",
    lines: ["-A -t 1.1.1.1:80 -s rr -p 5", "-a -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 1"],
  },
  { name: "a server that is gone", has: "-A -t 1.1.1.1:80 -s rr", wants: "", lines: ["-D -t 1.1.1.1:80"] },
  {
    name: "other options",
    has: "-A -t 1.1.1.1:80 -s rr",
    wants: "-A -t 1.1.1.1:80 -s lc -p 9",
    lines: ["-E -t 1.1.1.1:80 -s lc -p 9"],
  },
  {
    name: "an endpoint of TCP that is gone drains",
    has: "-A -t 1.1.1.1:80 -s rr\n-a -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 1",
    wants: "-A -t 1.1.1.1:80 -s rr",
    lines: ["-e -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 0"],
  },
  {
    name: "one that drains already is left to it",
    has: "-A -t 1.1.1.1:80 -s rr\n-a -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 0",
    wants: "-A -t 1.1.1.1:80 -s rr",
    lines: [],
  },
  {
    name: "one that comes back while it drains",
    has: "-A -t 1.1.1.1:80 -s rr\n-a -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 0",
    wants: "-A -t 1.1.1.1:80 -s rr\n-a -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 1",
    lines: ["-e -t 1.1.1.1:80 -r 2.2.2.2:80 -m -w 1"],
  },
  {
    name: "an endpoint of UDP that is gone goes at once",
    has: "-A -u 1.1.1.1:53 -s rr\n-a -u 1.1.1.1:53 -r 2.2.2.2:53 -m -w 1",
    wants: "-A -u 1.1.1.1:53 -s rr",
    lines: ["-d -u 1.1.1.1:53 -r 2.2.2.2:53"],
  },
];

describe("virtual servers", () => {
  test("are read as ipvsadm writes them", () => {
    const servers = parseServers(saved);
    expect([...servers.keys()]).toEqual(["-t 10.96.0.10:80", "-u 10.96.0.10:53"]);
    expect(servers.get("-t 10.96.0.10:80")).toEqual({
      protocol: "TCP",
      ip: "10.96.0.10",
      port: 80,
      scheduler: "rr",
      persistence: 0,
      real: new Map([
        ["10.244.0.2:8080", 1],
        ["10.244.0.3:8080", 0],
      ]),
    });
    expect(servers.get("-u 10.96.0.10:53")?.persistence).toBe(100);
    expect(sameServers(servers, parseServers(saved))).toBe(true);
    expect(sameServers(servers, parseServers(saved.replace("-w 0", "-w 1")))).toBe(false);
  });

  test("are read of one family at a time", () => {
    const both = `${saved}-A -t [fd00:96::10]:80 -s rr -p 9 -M 128
-a -t [fd00:96::10]:80 -r [fd00:244::2]:8080 -m -w 1
`;
    expect([...parseServers(both).keys()]).toEqual([...parseServers(saved).keys()]);
    const six = parseServers(both, 6);
    expect([...six.keys()]).toEqual([serverKey("TCP", "fd00:96::10", 80)]);
    expect([...six.values()]).toMatchObject([
      { ip: "fd00:96::10", port: 80, persistence: 9, real: new Map([["[fd00:244::2]:8080", 1]]) },
    ]);
  });

  for (const { name, has, wants, lines } of cases) {
    test(`differ by: ${name}`, () => {
      const before = parseServers(has);
      const after = parseServers(wants);
      const result = difference(before, after, new Set([...before.keys(), ...after.keys()]));
      expect(result.lines).toEqual(lines);
      // Doing it again finds nothing more to do.
      const again = difference(result.after, after, new Set([...result.after.keys(), ...after.keys()]));
      expect(again.lines).toEqual([]);
    });
  }

  test("have finished when weight and connections are nil", () => {
    const listing = `IP Virtual Server version 1.2.1 (size=4096)
Prot LocalAddress:Port Scheduler Flags
  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn
TCP  10.96.0.10:80 rr
  -> 10.244.0.2:8080              Masq    1      0          0
  -> 10.244.0.3:8080              Masq    0      1          0
  -> 10.244.0.4:8080              Masq    0      0          3
  -> 10.244.0.5:8080              Masq    0      0          0
`;
    expect(finishedServers(listing)).toEqual([{ key: "-t 10.96.0.10:80", real: "10.244.0.5:8080" }]);
  });
});
