import { existsSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, extname } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Loader, type Plugin } from 'esbuild'
import { messageOf } from '../core/errors.ts'
import { digest, digestOf } from '../files/digest.ts'
import { readRegularFile } from '../files/regular-file.ts'

/**
 * `import … from 'wslb'` in a config means the wslb that loads it, wherever that is installed (npx, global, a clone):
 * another copy would have other classes and another cookie secret.
 */
export function ownPackage(): Plugin {
  const extension = extname(import.meta.url)
  return {
    name: 'wslb-own-package',
    setup(build) {
      build.onResolve({ filter: /^wslb(\/|$)/ }, ({ path, kind }) => {
        const entry = new URL(`..${path.slice('wslb'.length)}/index${extension}`, import.meta.url)
        if (!existsSync(entry)) return { errors: [{ text: `wslb has no entry "${path}"` }] }
        // `require` gets it by way of an ES module: the same instance, on any Node.
        return kind === 'require-call'
          ? { path: entry.href, namespace: BRIDGE }
          : { path: entry.href, external: true }
      })
      build.onLoad({ filter: /./, namespace: BRIDGE }, ({ path }) => ({
        contents: `export * from '${path}'`,
      }))
      build.onResolve({ filter: /./, namespace: BRIDGE }, ({ path }) => ({ path, external: true }))
    },
  }
}

const BRIDGE = 'wslb'

/** Packages by the url of their entry file, for a bundle that lies where Node would not find them by name. */
export function absolutePackages(): Plugin {
  const seen = Symbol('absolutePackages')
  return {
    name: 'wslb-absolute-packages',
    setup(build) {
      build.onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, kind, importer, resolveDir }) => {
        if (pluginData === seen || kind === 'entry-point') return undefined
        if (isBuiltin(path)) return { path, external: true }
        const resolved = await build.resolve(path, { kind, importer, resolveDir, pluginData: seen })
        if (resolved.errors.length > 0 || !resolved.path.includes('node_modules')) return resolved
        // `require` takes paths, `import` urls.
        const target = kind === 'require-call' ? resolved.path : pathToFileURL(resolved.path).href
        return { path: target, external: true }
      })
    },
  }
}

/** What `import.meta` and CommonJS say about the place of a file goes through these names, see {@link readInputs}. */
export const ORIGINAL_PATHS: Readonly<Record<string, string>> = {
  'import.meta.url': '__wslbUrl',
  'import.meta.dirname': '__wslbDirname',
  'import.meta.filename': '__wslbFilename',
  __dirname: '__wslbDirname',
  __filename: '__wslbFilename',
}

/** Reads every local file: remembers what was read, and lets the code know where it was before it was bundled. */
export function readInputs(inputs: Map<string, string>): Plugin {
  return {
    name: 'wslb-read-inputs',
    setup(build) {
      build.onLoad({ filter: /./, namespace: 'file' }, ({ path }) => {
        let content: Buffer
        try {
          content = readRegularFile(path)
        } catch (error) {
          inputs.set(path, digestOf(path))
          // Not thrown: esbuild would name the line above as the place, instead of the import.
          return { errors: [{ text: `cannot read the import: ${messageOf(error)}` }] }
        }
        inputs.set(path, digest(content))
        const loader = LOADERS[extname(path)]
        if (!loader) return { contents: content, loader: 'default' }
        const contents = content.toString()
        return { contents: needsPaths(contents) ? placeOf(path) + contents : contents, loader }
      })
    },
  }
}

const LOADERS: Readonly<Record<string, Loader>> = {
  '.ts': 'ts',
  '.mts': 'ts',
  '.cts': 'ts',
  '.tsx': 'tsx',
  '.js': 'js',
  '.mjs': 'js',
  '.cjs': 'js',
  '.jsx': 'jsx',
}

function needsPaths(code: string): boolean {
  return /import\.meta|__dirname|__filename/.test(code)
}

/** On the first line, so that line numbers stay right. */
function placeOf(path: string): string {
  const quoted = [pathToFileURL(path).href, dirname(path), path].map((text) => JSON.stringify(text))
  return `var __wslbUrl = ${quoted[0]}, __wslbDirname = ${quoted[1]}, __wslbFilename = ${quoted[2]};`
}
