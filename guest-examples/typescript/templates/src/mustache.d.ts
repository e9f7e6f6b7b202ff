declare module "mustache" {
  const Mustache: {
    parse(template: string): unknown;
    render(template: string, view: unknown, partials: Record<string, string>): string;
  };
  export default Mustache;
}
