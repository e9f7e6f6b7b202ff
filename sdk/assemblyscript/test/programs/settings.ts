// Reads a configuration in every way there is, and shows what it read.

import { Config, Guest, Kind, log, Request, Response } from "@sentinel-gateway/assemblyscript";

export class Settings extends Guest {
  configure(config: Config): string | null {
    log.info(config.string("text", "default") + " " + config.int("int", -1).toString() + " " + config.float("float", 0.5).toString());
    log.info(config.bool("flag").toString() + " " + (config.optionalString("maybe") === null ? "no maybe" : config.string("maybe")));
    log.info(config.strings("strings").join("+") + " " + config.headerNames("names").join("+"));
    const fields = config.headers("fields");
    for (let i = 0; i < fields.length; ++i) log.info(fields[i].name + ": " + fields[i].value);
    const limits = config.map("limits");
    log.info(limits.keys.join("+") + " " + limits.int("most", 7).toString() + " " + limits.map("deeper").int("most", 8).toString());
    const mixed = config.list("mixed");
    for (let i = 0; i < mixed.length; ++i) log.debug((<i32>mixed[i].kind).toString() + " " + mixed[i].isNil.toString());
    const any = config.get("any");
    if (any !== null && any.kind == Kind.map) log.info(any.map.string("a"));
    if (config.has("own")) return "a message of the guest's own";
    if (config.has("lenient")) return null;
    if (config.has("strict")) config.require("needed");
    return config.finish();
  }

  onRequest(request: Request): Response | null {
    return null;
  }
}
