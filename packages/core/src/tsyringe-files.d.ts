// The two files of tsyringe that composition.ts loads; the package has types for its index only.

declare module "tsyringe/dist/cjs/dependency-container.js" {
  const exports: { readonly instance: import("tsyringe").DependencyContainer };
  export default exports;
}

declare module "tsyringe/dist/cjs/factories/instance-per-container-caching-factory.js" {
  const exports: { readonly default: typeof import("tsyringe").instancePerContainerCachingFactory };
  export default exports;
}
