// `valence new`: generators.
import { UsageError, type Command } from "./command.ts";
import { newService, SERVICE_HELP } from "./new-service.ts";
import { APP_HELP, newApp } from "./new-app.ts";

const HELP = `Makes a service in this project, or a project.

  npx valence new service NAME [--actor|--saga|--projection|--reactor|--crud] [--route]
  npx valence new app FOLDER

── new service

${SERVICE_HELP}

── new app

${APP_HELP}`;

export const command: Command = {
  help: HELP,
  async run([what, ...args]) {
    if (what === "service") await newService(args);
    else if (what === "app") await newApp(args);
    else
      throw new UsageError(`${what === undefined ? "say what is to be made" : `there is no "new ${what}"`}\n\n${HELP}`);
  },
};
